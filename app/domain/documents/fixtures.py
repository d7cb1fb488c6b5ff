"""Fixtures: a payload for a hook and what must come of it, written beside the hook as JSON.

    {"name": "…", "payload": {…}, "secrets": {…}?, "headers": {…}?, "expect": {"result": …,
     "effects": …, "error": {"name"?, "message"?, …}, "logs": ["part of a line", …]}}

``result`` and ``effects`` must be equal; of ``error`` the named members; each of ``logs`` must
occur in some line. A fixture without ``error`` expects that there is none.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.errors import Problem, Rejected

FIXTURES = "fixtures"
"""Folder beside the script that holds them."""

_MEMBERS = {"name", "payload", "secrets", "headers", "expect"}
_LONGEST_LINE = 120
_LINES_AROUND = 2
_EXPECTATIONS = {"result", "effects", "error", "logs"}


@dataclass(frozen=True, slots=True)
class Fixture:
    """One example of a hook at work."""

    file: str
    name: str
    payload: Mapping[str, Any]
    expect: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Shown to a Node.js hook as the caller's."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of a fixture's payload."""

    envelope: Mapping[str, Any]
    logs: Sequence[str]


def parse_fixture(file: str, content: bytes) -> Fixture:
    """Read a fixture; raise ``Rejected`` with every problem."""
    try:
        members = json.loads(content)
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise _refused(Problem(f"is not valid JSON: {error}", file, line)) from None
    if not isinstance(members, dict):
        raise _refused(Problem("must be a JSON object", file))
    problems = list(_problems(file, members))
    if problems:
        raise _refused(*problems)
    return Fixture(
        file=file,
        name=members.get("name") or file.rsplit("/", 1)[-1].removesuffix(".json"),
        payload=members["payload"],
        expect=members["expect"],
        secrets=members.get("secrets") or {},
        headers=members.get("headers") or {},
    )


def differences(fixture: Fixture, observed: Observed) -> tuple[str, ...]:
    """Say, line by line, how what came differs from what was expected; empty if it does not."""
    return tuple(_differences(fixture.expect, observed))


def written_fixture(payload: Mapping[str, Any], envelope: Mapping[str, Any]) -> str:
    """Write the fixture that expects just what came of a payload."""
    data = envelope.get("data")
    if envelope.get("status") == "success":
        expect: dict[str, Any] = {"result": data}
        if "effects" in envelope:
            expect["effects"] = envelope["effects"]
    else:
        named = data if isinstance(data, dict) else {}
        expect = {"error": {key: named[key] for key in ("name", "message") if key in named}}
    content = {"payload": payload, "expect": expect}
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _refused(*problems: Problem) -> Rejected:
    return Rejected("The fixture cannot be used.", problems=problems)


def _problems(file: str, members: Mapping[str, Any]) -> Iterator[Problem]:
    for key in sorted(members.keys() - _MEMBERS):
        yield Problem(f"unknown member; known are: {', '.join(sorted(_MEMBERS))}", file, key=key)
    if not isinstance(members.get("payload"), dict):
        yield Problem("must be an object: what the trigger sends", file, key="payload")
    for key in ("secrets", "headers"):
        values = members.get(key, {})
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            yield Problem("must be an object of strings", file, key=key)
    expect = members.get("expect")
    if not isinstance(expect, dict) or not expect:
        yield Problem('must name what is expected, e.g. {"result": {}}', file, key="expect")
        return
    for key in sorted(expect.keys() - _EXPECTATIONS):
        known = ", ".join(sorted(_EXPECTATIONS))
        yield Problem(f"unknown member; known are: {known}", file, key=f"expect.{key}")
    if "error" in expect and not isinstance(expect["error"], dict):
        yield Problem("must be an object", file, key="expect.error")
    if not isinstance(expect.get("logs", []), list):
        yield Problem("must be a list of strings", file, key="expect.logs")


def _differences(expect: Mapping[str, Any], observed: Observed) -> Iterator[str]:
    envelope = observed.envelope
    failed = envelope.get("status") != "success"
    if failed and "error" not in expect:
        yield f"error: expected none, got {_text(_without_stack(envelope.get('data')))}"
        return
    if not failed and "error" in expect:
        yield f"error: expected {_text(expect['error'])}, got none"
    for key, wanted in expect.get("error", {}).items() if failed else ():
        got = (envelope.get("data") or {}).get(key)
        if got != wanted:
            yield _difference(f"error.{key}", wanted, got)
    for member, place in (("result", "data"), ("effects", "effects")):
        if member in expect and not failed and envelope.get(place) != expect[member]:
            yield _difference(member, expect[member], envelope.get(place))
    for part in expect.get("logs", ()):
        if not any(part in line for line in observed.logs):
            yield f"logs: no line contains {_text(part)}"


def _difference(place: str, wanted: object, got: object) -> str:
    """Say it on one line if both are short, else as a difference, line by line."""
    if len(short := f"{place}: expected {_text(wanted)}, got {_text(got)}") <= _LONGEST_LINE:
        return short
    lines = difflib.unified_diff(_lines(wanted), _lines(got), lineterm="", n=_LINES_AROUND)
    shown = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return "\n".join([f"{place}: expected (-) and got (+):", *(f"  {line}" for line in shown)])


def _lines(value: object) -> list[str]:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2).split("\n")


def _without_stack(data: object) -> object:
    return {k: v for k, v in data.items() if k != "stack"} if isinstance(data, dict) else data


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
