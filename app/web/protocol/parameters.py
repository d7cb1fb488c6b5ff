"""Query parameters: declared once, for reading them and for the OpenAPI document.

What is not declared is refused: a misspelt filter must not silently answer with everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

from app.domain.errors import Problem, Rejected

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_TEXT = 1000
"""Characters."""

_MAX_FIELDS = 100
_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[-+ ]\d\d:\d\d)\Z", re.ASCII | re.IGNORECASE
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

Parse = Callable[[str], Any]
"""Raises ``ValueError`` with what a value must be."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of one operation."""

    name: str
    description: str
    schema: Mapping[str, Any]
    """JSON Schema of its text."""
    parse: Parse
    default: Any = None
    place: Literal["query", "path", "header"] = "query"
    required: bool = False


def parse_query(query: bytes, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Read a query string; what is not given has its default.

    Raises ``Rejected`` with everything that is wrong: unknown and repeated names, bad values.
    """
    known = {item.name: item for item in parameters if item.place == "query"}
    given = _pairs(query)
    values = {name: item.default for name, item in known.items()}
    problems = [*_unknown(given, known), *_repeated(given)]
    for name, text in given:
        if name in known:
            try:
                values[name] = known[name].parse(text)
            except ValueError as error:
                problems.append(Problem(str(error), key=name))
    for name, item in known.items():
        if item.required and name not in dict(given):
            problems.append(Problem("must be given", key=name))
    if problems:
        raise Rejected("The query of this request cannot be used.", problems=problems)
    return values


def text(name: str, description: str) -> Parameter:
    """Declare a parameter that is any text without control characters."""
    schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
    return Parameter(name, description, schema, _text)


def choice(name: str, description: str, values: Sequence[str]) -> Parameter:
    """Declare a parameter that is one of a few words."""

    def parse(given: str) -> str:
        if given not in values:
            raise ValueError(f"must be one of: {', '.join(values)}")
        return given

    return Parameter(name, description, {"type": "string", "enum": list(values)}, parse)


def flag(name: str, description: str) -> Parameter:
    """Declare a parameter that is `true` or `false`."""

    def parse(given: str) -> bool:
        if given not in ("true", "false"):
            raise ValueError("must be `true` or `false`")
        return given == "true"

    return Parameter(name, description, {"type": "boolean"}, parse)


def whole_number(name: str, description: str, *, required: bool = False) -> Parameter:
    """Declare a parameter that is a number from 1 on."""
    schema = {"type": "integer", "minimum": 1}
    return Parameter(name, description, schema, _whole_number, required=required)


def moment(name: str, description: str) -> Parameter:
    """Declare a parameter that is a time with its zone (RFC 3339)."""
    return Parameter(name, description, {"type": "string", "format": "date-time"}, read_moment)


def path_parameter(name: str, description: str) -> Parameter:
    """Declare a part of the path; the endpoint looks it up, and nothing else is asked of it."""
    return Parameter(name, description, {"type": "string"}, str, place="path")


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise Rejected(
            f"The query is not at most {_MAX_FIELDS} parameters of percent-encoded UTF-8."
        ) from None


def _unknown(given: Sequence[tuple[str, str]], known: Mapping[str, Parameter]) -> Iterator[Problem]:
    listed = ", ".join(known) or "none"
    for name in dict.fromkeys(name for name, _ in given):
        if name not in known:
            yield Problem(f"is not a parameter of this route; known are: {listed}", key=name)


def _repeated(given: Sequence[tuple[str, str]]) -> Iterator[Problem]:
    names = [name for name, _ in given]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield Problem("may be given only once", key=name)


def _text(given: str) -> str:
    if not 1 <= len(given) <= MAX_TEXT:
        raise ValueError(f"must have 1 to {MAX_TEXT} characters")
    if _CONTROLS.search(given):
        raise ValueError("must hold no control characters")
    return given


def _limit(given: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", given) or not 1 <= int(given) <= MAX_LIMIT:
        raise ValueError(f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(given)


def _whole_number(given: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,17}", given):
        raise ValueError("must be a whole number from 1 on")
    return int(given)


def read_moment(given: str) -> datetime:
    """Read a time; a blank before the zone is a `+` that somebody forgot to encode."""
    complaint = "must be a time with its zone (RFC 3339), such as 2026-11-22T12:00:00Z"
    if not _TIME.match(given):
        raise ValueError(complaint)
    try:
        return datetime.fromisoformat(given.replace(" ", "+").upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(complaint) from None


def position(name: str, description: str) -> Parameter:
    """Declare a parameter that is the place of an event in the store."""

    def parse(given: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", given):
            raise ValueError("must be a position: a whole number")
        return int(given)

    return Parameter(name, description, {"type": "integer", "minimum": 0}, parse)


LIMIT = Parameter(
    "limit",
    f"How many to answer at most; {DEFAULT_LIMIT} if not given.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    _limit,
    DEFAULT_LIMIT,
)
CURSOR = text("cursor", "The `next` of the answer before; continues the list behind it.")
TWO_WAYS = replace(CURSOR, description="The `next` or `previous` of an answer to the same filters.")
SINCE = moment("since", "Not before this time (RFC 3339).")
UNTIL = moment("until", "Before this time (RFC 3339).")
