"""Bodies as clients of Auth0 send them: JSON or a form, a literal ``null``, booleans as text.

Sentences about what is wrong follow Auth0's, which are those of the validator z-schema. None of
them repeats a value: what stands in the wrong place may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from app.application.invoking.envelopes import parse_json
from app.domain.errors import Problem, Rejected
from app.domain.hooks.secrets import MAX_SECRETS_PER_HOOK
from app.domain.manifests.drafts import HookDraft, HookPatch
from app.domain.triggers.catalogue import CONTRACTS
from app.web.management.errors import InvalidBody, problems_of
from app.web.protocol.endpoints import FORM
from app.web.protocol.limits import Headers, only

BODY_LIMIT = 1024 * 1024
"""Bytes; the largest script, written as JSON, and room for the rest."""

_MAX_FIELDS = 200
_NESTED = re.compile(r"(\w+)\[([^\[\]]+)\]\Z")
_TYPES: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}

Read = Callable[[str, Any], Any]
"""Gets a property's name and value; raises ``InvalidBody``."""


def parse_body(headers: Headers, body: bytes) -> Any:
    """Read a body by its content type, JSON unless it is a form; None if there is none.

    Raises ``InvalidBody``.
    """
    media = (only(headers, b"content-type") or b"").partition(b";")[0].strip().lower()
    if not body.strip():
        return None
    if media == FORM.encode():
        return _form(body)
    try:
        return parse_json(body)
    except Rejected as refusal:
        raise InvalidBody(problems_of(refusal)) from None


def read_draft(body: Any) -> HookDraft:
    """Read a hook that is to be made; raise ``InvalidBody`` with everything that is wrong."""
    given = _properties(
        body,
        required={"name": _text, "script": _text, "triggerId": _trigger},
        optional={"enabled": _flag, "dependencies": _texts},
    )
    return HookDraft(trigger=given.pop("triggerId"), **given)


def read_patch(body: Any) -> HookPatch:
    """Read what is to change of a hook; raise ``InvalidBody`` with everything that is wrong."""
    given = _properties(
        body,
        optional={"name": _text, "script": _text, "enabled": _flag, "dependencies": _texts},
    )
    if not given:
        raise InvalidBody([Problem("Too few properties defined (0), minimum 1")])
    return HookPatch(**given)


def read_secrets(body: Any) -> dict[str, str]:
    """Read names and values of secrets; raise ``InvalidBody``."""
    values: dict[str, str] = _texts("", body)
    if not values:
        raise InvalidBody([Problem("Too few properties defined (0), minimum 1")])
    if len(values) > MAX_SECRETS_PER_HOOK:
        limit = f"({len(values)}), maximum {MAX_SECRETS_PER_HOOK}"
        raise InvalidBody([Problem(f"Too many properties defined {limit}")])
    return values


def read_names(body: Any) -> list[str]:
    """Read an array of names of secrets; raise ``InvalidBody``."""
    if not isinstance(body, list):
        raise _wrong_type("", body, "array")
    if not body:
        raise InvalidBody([Problem("Array is too short (0), minimum 1")])
    return [_text(f"[{index}]", name) for index, name in enumerate(body)]


def _properties(
    body: Any, *, required: Mapping[str, Read] | None = None, optional: Mapping[str, Read]
) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise _wrong_type("", body, "object")
    readers = {**(required or {}), **optional}
    given: dict[str, Any] = {}
    problems = list(_wrong_with_names(body, required or {}, readers))
    for name, value in body.items():
        if name in readers:
            try:
                given[name] = readers[name](name, value)
            except InvalidBody as refusal:
                problems += refusal.problems
    if problems:
        raise InvalidBody(problems)
    return given


def _wrong_with_names(
    body: Mapping[str, Any], required: Mapping[str, Read], known: Mapping[str, Read]
) -> Iterator[Problem]:
    for name in required:
        if name not in body:
            yield Problem(f"Missing required property: {name}")
    for name in body:
        if name not in known:
            yield Problem(f"Additional properties not allowed: {name}")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong_type(name, value, "string")
    return value


def _flag(name: str, value: Any) -> bool:
    """Read a boolean; forms, and Auth0's own examples, have it as text."""
    if value in ("true", "false"):
        return bool(value == "true")
    if not isinstance(value, bool):
        raise _wrong_type(name, value, "boolean")
    return value


def _trigger(name: str, value: Any) -> str:
    if _text(name, value) not in CONTRACTS:
        known = ", ".join(CONTRACTS)
        raise InvalidBody([Problem(f"No enum match; known are: {known}", key=name)])
    return str(value)


def _texts(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _wrong_type(name, value, "object")
    wrong = [
        problem
        for key, text in value.items()
        if not isinstance(text, str)
        for problem in _wrong_type(f"{name}.{key}" if name else key, text, "string").problems
    ]
    if wrong:
        raise InvalidBody(wrong)
    return value


def _wrong_type(name: str, value: Any, expected: str) -> InvalidBody:
    found = f"Expected type {expected} but found type {_TYPES[type(value)]}"
    return InvalidBody([Problem(found, key=name or None)])


def _form(body: bytes) -> dict[str, Any]:
    """Read a form; ``dependencies[semver]=7.5.4`` is how forms write an object."""
    members: dict[str, Any] = {}
    for name, value in _pairs(body):
        nested = _NESTED.match(name)
        place: Any = members.setdefault(nested[1], {}) if nested else members
        key = nested[2] if nested else name
        if not isinstance(place, dict) or key in place:
            raise InvalidBody([Problem("may be given only once", key=name)])
        place[key] = value
    return members


def _pairs(body: bytes) -> Sequence[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        complaint = (
            f"The body is no form of at most {_MAX_FIELDS} fields; for JSON, send the header "
            "Content-Type: application/json"
        )
        raise InvalidBody([Problem(complaint)]) from None
