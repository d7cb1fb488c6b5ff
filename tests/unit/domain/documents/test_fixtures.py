"""Fixtures: reading them, and telling what came from what was expected."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.documents.fixtures import (
    Fixture,
    Observed,
    differences,
    parse_fixture,
    written_fixture,
)
from app.domain.errors import Rejected

SUCCESS = {"status": "success", "data": {"a": 1}, "effects": {"e": 2}}
FAILURE = {"status": "error", "data": {"name": "E", "message": "no", "stack": "…"}}


def compare(
    expect: dict[str, Any], envelope: dict[str, Any], logs: tuple[str, ...] = ()
) -> tuple[str, ...]:
    content = json.dumps({"payload": {}, "expect": expect}).encode()
    return differences(parse_fixture("f/x.json", content), Observed(envelope, logs))


@pytest.mark.parametrize(
    ("expect", "envelope"),
    [
        ({"result": {"a": 1}}, SUCCESS),
        ({"effects": {"e": 2}, "logs": ["ell"]}, SUCCESS),
        ({"error": {"name": "E"}}, FAILURE),
        ({"error": {}}, FAILURE),
    ],
)
def test_what_came_as_expected_has_no_differences(
    expect: dict[str, Any], envelope: dict[str, Any]
) -> None:
    assert compare(expect, envelope, ("hello",)) == ()


@pytest.mark.parametrize(
    ("expect", "envelope", "difference"),
    [
        ({"result": {"a": 2}}, SUCCESS, 'result: expected {"a": 2}, got {"a": 1}'),
        ({"effects": {}}, SUCCESS, 'effects: expected {}, got {"e": 2}'),
        ({"error": {"name": "E"}}, SUCCESS, 'error: expected {"name": "E"}, got none'),
        ({"error": {"message": "yes"}}, FAILURE, 'error.message: expected "yes", got "no"'),
        ({"result": 1}, FAILURE, 'error: expected none, got {"message": "no", "name": "E"}'),
        ({"logs": ["nothing"]}, SUCCESS, 'logs: no line contains "nothing"'),
    ],
)
def test_a_difference_says_what_was_expected_and_what_came(
    expect: dict[str, Any], envelope: dict[str, Any], difference: str
) -> None:
    assert compare(expect, envelope, ("hello",)) == (difference,)


def test_a_fixture_is_named_after_its_file_unless_it_has_a_name() -> None:
    assert parse_fixture("f/x.json", b'{"payload": {}, "expect": {"result": 1}}').name == "x"


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"{", None),
        (b"[]", None),
        (b'{"payload": 1, "expect": {"result": 1}}', "payload"),
        (b'{"payload": {}, "expect": {}}', "expect"),
        (b'{"payload": {}, "expect": {"reslt": 1}}', "expect.reslt"),
        (b'{"payload": {}, "expect": {"error": 1}}', "expect.error"),
        (b'{"payload": {}, "expect": {"logs": 1}}', "expect.logs"),
        (b'{"payload": {}, "secrets": {"A": 1}, "expect": {"result": 1}}', "secrets"),
        (b'{"payload": {}, "expect": {"result": 1}, "expects": 1}', "expects"),
    ],
)
def test_a_fixture_that_cannot_be_used_says_why(content: bytes, key: str | None) -> None:
    with pytest.raises(Rejected) as refusal:
        parse_fixture("f/x.json", content)
    assert [(p.file, p.key) for p in refusal.value.problems] == [("f/x.json", key)]


def test_a_long_difference_is_told_line_by_line() -> None:
    wanted = {f"member-{number}": "x" * 20 for number in range(20)}
    fixture = Fixture("f.json", "f", {}, {"result": wanted})
    got = {"status": "success", "data": wanted | {"member-7": "y"}}
    (difference,) = differences(fixture, Observed(got, ()))
    lines = difference.split("\n")
    assert lines[0] == "result: expected (-) and got (+):"
    assert f'  -  "member-7": "{"x" * 20}",' in lines
    assert '  +  "member-7": "y",' in lines
    assert len(lines) < 10


@pytest.mark.parametrize("envelope", [SUCCESS, FAILURE, {"status": "success", "data": None}])
def test_what_is_written_of_a_run_expects_just_that_run(envelope: dict[str, Any]) -> None:
    written = parse_fixture("f/x.json", written_fixture({"user": {}}, envelope).encode())
    assert written.payload == {"user": {}}
    assert differences(written, Observed(envelope, ())) == ()
    assert differences(written, Observed({"status": "success", "data": 1}, ())) != ()
