"""Names become commits the way git would have it, and nothing else does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import NotFound, Rejected, Stalled
from app.domain.plans.plan import DesiredState
from app.gitops.refs import is_ref_name
from app.gitops.source import LocalRepository, current_branch

if TYPE_CHECKING:
    from tests.integration.gitops.conftest import GitRepository

HOOK = "hooks/pre-user-registration/no-throwaway"
OTHER = "hooks/send-phone-message/twilio"
SCRIPT = "def hook(user, context):\n    return {}\n"

Follow = Callable[..., LocalRepository]


def read(ours: LocalRepository, since: DesiredState | None = None) -> DesiredState:
    return ours.desired(ours.tip(), since.tree if since else None)


def names(state: DesiredState) -> list[str]:
    return sorted(hook.name for hook in state.hooks)


def messages(refusal: Rejected) -> str:
    return str(refusal)


def test_refs_are_resolved(theirs: GitRepository, ours: LocalRepository) -> None:
    first = theirs.commit_hook()
    theirs.git("tag", "light")
    theirs.git("tag", "-a", "-m", "x", "heavy")
    theirs.git("tag", "-a", "-m", "x", "heavier", "heavy")
    second = theirs.commit_hook(OTHER)
    theirs.git("branch", "team/side", first)
    for ref in (first, first[:7], first.upper()[:0] + first[:12], "light", "heavy", "heavier",
                "team/side", "refs/heads/team/side", "refs/tags/heavy"):  # fmt: skip
        assert ours.resolve(ref) == first, ref
    assert ours.resolve("HEAD") == ours.resolve("main") == second
    theirs.git("pack-refs", "--all")
    assert ours.resolve("heavier") == ours.resolve("team/side") == first


def test_a_branch_is_preferred_to_a_tag_of_the_same_name(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    theirs.git("tag", "main")
    second = theirs.commit_hook(OTHER)
    assert ours.resolve("main") == second


@pytest.mark.parametrize(
    "ref",
    ["", "gone", "abcdef1", "0" * 40, "-x", "--upload-pack=touch /tmp/x", "main~1", "main^{tree}",
     "@{-1}", "HEAD\nHEAD", "main:hooks", "../../HEAD", "refs/heads/../../HEAD", ":/change", "a b",
     "@", "config", "refs/heads", "main.lock", "\x1b[31m", "ab", "x" * 1000, "\ud800"],
)  # fmt: skip
def test_anything_else_is_not_found(theirs: GitRepository, ours: LocalRepository, ref: str) -> None:
    theirs.commit_hook()
    with pytest.raises(NotFound) as refusal:
        ours.resolve(ref)
    assert "\x1b" not in str(refusal.value)
    assert ours.resolve("main") == ours.tip()


def test_what_is_no_commit_is_not_found(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.commit_hook()
    tree = theirs.git("rev-parse", "HEAD^{tree}")
    theirs.git("tag", "a-tree", tree)
    for ref in ("a-tree", tree, tree[:10]):
        with pytest.raises(NotFound):
            ours.resolve(ref)


@pytest.mark.parametrize("branch", ["", "-x", "a..b", "a b", "x.lock", "a\nb", "a~1", "/a", "a/"])
def test_a_name_that_is_no_branch_is_refused_at_once(
    follow: Follow, tmp_path: Path, branch: str
) -> None:
    with pytest.raises(Rejected, match="HOOKLEDGER_BRANCH"):
        follow(tmp_path, branch=branch)


def test_a_detached_head_has_no_current_branch(theirs: GitRepository) -> None:
    theirs.commit_hook()
    theirs.git("checkout", "--quiet", "--detach")
    with pytest.raises(Stalled, match="detached"):
        current_branch(theirs.location)


def test_an_unborn_branch_is_the_current_one(theirs: GitRepository) -> None:
    assert current_branch(theirs.location) == "main"


@pytest.mark.parametrize(
    "name",
    ["main", "a/b", "a.b", "a-b", "ü", "a@b", "@a", "a{", "", ".a", "a/.b", "a..b", "a//b", "/a", "a/",
     "a.", "a.lock", "a.lock/b", "a b", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a@{b", "a\x7f"],
)  # fmt: skip
def test_names_are_judged_as_git_judges_them(name: str) -> None:
    full = f"refs/heads/{name}"
    judged = subprocess.run(["git", "check-ref-format", full], capture_output=True)
    assert is_ref_name(full) == (judged.returncode == 0)
