"""The table of problems: every error has a type, and every type says what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import app.web.protocol.errors as web_errors
from app.domain.errors import Conflict, HookledgerError
from app.domain.outcomes import OutcomeKind
from app.web.protocol.problem_types import FAILURES, PROBLEM_TYPES, ProblemType, type_of
from app.web.protocol.problems import problem_answer


def below(kind: type[HookledgerError]) -> Iterator[type[HookledgerError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from below(child)


def test_every_error_of_the_domain_and_of_http_has_a_type() -> None:
    assert web_errors.TooLarge in set(below(HookledgerError))
    for kind in below(HookledgerError):
        if kind.__module__.startswith("app."):
            assert kind.slug in PROBLEM_TYPES, kind


def test_a_new_branch_is_told_as_the_nearest_known_one() -> None:
    class Odd(Conflict):
        slug = "odd"

    assert type_of(Odd("x")).slug == "conflict"


def test_every_failure_of_the_platform_has_a_type_and_no_answer_has() -> None:
    assert set(FAILURES) == {kind for kind in OutcomeKind if not kind.is_answer}
    assert all(kind.status >= 500 for kind in FAILURES.values())


@pytest.mark.parametrize("kind", PROBLEM_TYPES.values(), ids=lambda kind: kind.slug)
def test_every_type_says_what_happened_and_what_to_do(kind: ProblemType) -> None:
    assert kind.uri == f"/problems/{kind.slug}"
    assert 400 <= kind.status < 600
    assert kind.title.strip()
    assert kind.remedy.endswith(".")


def test_the_instance_is_a_reference_whatever_the_path_holds() -> None:
    scope = {"path": '/v1/<a>\n"\ud800\u2603', "method": "GET", "query_string": b"text=private"}
    body = bytes(problem_answer(Conflict("x"), scope).body)
    assert b'"instance":"/v1/%3Ca%3E%0A%22' in body
    assert b"private" not in body
