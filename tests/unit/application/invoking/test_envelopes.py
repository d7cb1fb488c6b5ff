"""Answers that no well-meaning worker sends: read without harm, and told for what they are."""

from __future__ import annotations

import pytest

from app.application.invoking.envelopes import NOT_JSON, envelope_of
from app.domain.outcomes import Outcome, OutcomeKind
from app.domain.triggers.catalogue import CONTRACTS

CONTRACT = CONTRACTS["pre-user-registration"]


def nested(depth: int, around: str = "1") -> str:
    return '{"a":' * depth + around + "}" * depth


def read(kind: OutcomeKind, text: str) -> tuple[bytes | None, Outcome]:
    return envelope_of(CONTRACT, CONTRACT.example, Outcome(kind, text.encode()))


@pytest.mark.parametrize("kind", [OutcomeKind.SUCCEEDED, OutcomeKind.ERRORED])
@pytest.mark.parametrize(
    "text",
    [
        '}, "effects": {}, "more": {',
        "",
        '"\\ud800"',
        "1e999",
        "NaN",
        "1" + "0" * 400,
        "[" * 1000 + "]" * 1000,
        "[" * 100_000,
        nested(300),
        f'{{"message": {nested(300)}}}',
        '{"a": 1} {"b": 2}',
        "\ufeff{}",
    ],
    ids=[
        "closing", "nothing", "surrogate", "infinite", "nan", "long-number", "lists", "open-lists",
        "deep", "deep-message", "two", "mark",
    ],
)  # fmt: skip
def test_what_is_no_json_or_too_deep_is_a_violation(kind: OutcomeKind, text: str) -> None:
    envelope, outcome = read(kind, text)
    assert envelope is None
    assert (outcome.kind, outcome.detail) == (OutcomeKind.VIOLATED, NOT_JSON)


@pytest.mark.parametrize("kind", [OutcomeKind.SUCCEEDED, OutcomeKind.ERRORED])
def test_an_answer_of_any_depth_is_passed_on_or_refused(kind: OutcomeKind) -> None:
    told = set()
    for depth in range(200, 300):
        text = f'{{"user": {{"app_metadata": {nested(depth)}}}}}'
        envelope, outcome = read(kind, text)
        assert (envelope is None) == (outcome.kind is OutcomeKind.VIOLATED)
        told.add(outcome.kind)
    assert told == {kind, OutcomeKind.VIOLATED}
