"""Hooks as callers describe them: what is normalised, what is refused, and that it is all said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Rejected
from app.domain.hooks.names import check_name, normalised_name
from app.domain.manifests.drafts import HookDraft, HookPatch

LETTERS = st.sampled_from("abzABZ019 -")


@given(st.text(LETTERS, max_size=110))
def test_a_name_is_refused_or_becomes_one_that_may_name_a_hook(spoken: str) -> None:
    try:
        kept = normalised_name(spoken)
    except Rejected:
        return
    assert check_name(kept) == kept
    assert normalised_name(kept) == kept
    assert len(kept) == len(spoken)


def test_a_draft_says_everything_that_is_wrong_at_once() -> None:
    draft = HookDraft("a_b", "t", "", dependencies={"UPPER": "1.0.0", "ms": "~2"})
    with pytest.raises(Rejected) as refusal:
        draft.checked()
    keys = [problem.key for problem in refusal.value.problems]
    assert keys == ["name", "script", "dependencies.UPPER", "dependencies.ms"]


def test_an_empty_patch_is_fine_and_stays_empty() -> None:
    assert HookPatch().checked() == HookPatch()


def test_only_the_name_is_normalised() -> None:
    patch = HookPatch("My Hook", " x ", enabled=True, dependencies={"@scope/ms": "2.1.3-rc.1"})
    assert patch.checked() == HookPatch(
        "my-hook", " x ", enabled=True, dependencies={"@scope/ms": "2.1.3-rc.1"}
    )


@pytest.mark.parametrize("size", [256 * 1024, 256 * 1024 + 1])
def test_a_script_is_measured_in_bytes(size: int) -> None:
    draft = HookDraft("a", "t", "ä" * (size // 2) + "x" * (size % 2))
    if size > 256 * 1024:
        with pytest.raises(Rejected):
            draft.checked()
    else:
        assert draft.checked() == draft
