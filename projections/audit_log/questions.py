"""Questions to the audit log, checked and turned into terms that its marks answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from app.application.views import AuditQuery
from app.domain.errors import Problem, Rejected

MAX_LIMIT = 1000
MAX_TYPES = 50
MAX_WORDS = 32
MAX_WORD_LENGTH = 200
LAST_POSITION = 2**63 - 1

REFUSED = "The audit log cannot be asked that."
_COMMIT = re.compile(r"[0-9a-f]{7,40}\Z")
_ULID = re.compile(r"(?=.*[A-Z])[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")
_TYPE = re.compile(r"[a-z_]+(\.[a-z_]+)?\Z")
_PAST_HEX, _PAST_DOT = "g", "/"
"""The character after the last digit of a commit's id, and the one after the dot of a type."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Values from ``start`` to before ``end``."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Term:
    """What a row must hold: in ``field`` any of ``values``."""

    field: str
    values: tuple[str | Interval, ...]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What rows must hold, joined by *and*."""

    terms: tuple[Term, ...]
    words: tuple[str, ...]
    since: str | None
    until: str | None
    first: int
    last: int
    """Positions, inclusive."""


def conditions_of(query: AuditQuery) -> Conditions:
    """Translate the filters; raise ``Rejected`` with everything that is wrong with them."""
    problems = [*_problems(query)]
    if problems:
        raise Rejected(REFUSED, problems=problems)
    return Conditions(
        terms=tuple(_terms(query)),
        words=_words(query.text),
        since=None if query.since is None else sortable(query.since),
        until=None if query.until is None else sortable(query.until),
        first=max(1, query.from_position or 1),
        last=LAST_POSITION if query.to_position is None else query.to_position,
    )


def commits_beginning(prefix: str) -> Interval:
    """Return the interval of the commits whose ids begin with ``prefix``."""
    return Interval(prefix, prefix + _PAST_HEX)


def check_limit(limit: int) -> int:
    """Return the size of a page; raise ``Rejected`` if it is none."""
    if not 1 <= limit <= MAX_LIMIT:
        problem = Problem(f"must be between 1 and {MAX_LIMIT}", key="limit")
        raise Rejected(REFUSED, problems=[problem])
    return limit


def sortable(at: datetime) -> str:
    """Write an instant in UTC so that texts sort as instants do."""
    in_utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    if in_utc.microsecond:
        # The same, in a tenth of the time.
        return f"{msgspec.to_builtins(in_utc)[:-1]}+00:00"
    return in_utc.isoformat(timespec="microseconds")


def _terms(query: AuditQuery) -> Iterator[Term]:
    if query.hook is not None:
        # Names are lower-case and ULIDs are not, so it is one or the other.
        yield Term("hook" if _ULID.match(query.hook) else "name", (query.hook,))
    if query.commit is not None:
        yield Term("commit", (commits_beginning(query.commit.lower()),))
    if query.type is not None:
        yield Term("type", tuple(map(_type, _types(query.type))))
    for field, value in (
        ("correlation", query.correlation),
        ("signer", query.signer),
        ("actor", query.actor),
        ("trigger", query.trigger),
        ("origin", query.origin),
    ):
        if value is not None:
            yield Term(field, (value,))


def _type(text: str) -> str | Interval:
    return text if "." in text else Interval(f"{text}.", f"{text}{_PAST_DOT}")


def _types(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",")))


def _problems(query: AuditQuery) -> Iterator[Problem]:
    if query.type is not None and (
        len(_types(query.type)) > MAX_TYPES or not all(map(_TYPE.match, _types(query.type)))
    ):
        yield Problem(
            f"must be up to {MAX_TYPES} types such as `hook.created` or `hook`, parted by commas",
            key="type",
        )
    if query.commit is not None and not _COMMIT.match(query.commit.lower()):
        yield Problem("must be 7 to 40 hexadecimal digits", key="commit")
    for key, instant in (("since", query.since), ("until", query.until)):
        if instant is not None and instant.tzinfo is None:
            yield Problem("must name its time zone, e.g. end with `Z`", key=key)
    if query.since is not None and query.until is not None and query.since >= query.until:
        yield Problem("must be after `since`", key="until")
    if query.text is not None:
        words = _words(query.text)
        if not words:
            yield Problem("holds no letter or digit to look for", key="text")
        if len(words) > MAX_WORDS or any(len(word) > MAX_WORD_LENGTH for word in words):
            yield Problem(
                f"may hold {MAX_WORDS} words of up to {MAX_WORD_LENGTH} characters", key="text"
            )


def _words(text: str | None) -> tuple[str, ...]:
    """Split at blanks; what has no letter or digit is no word to a text index."""
    return tuple(
        word
        for word in (text or "").replace("\0", " ").split()
        if any(character.isalnum() for character in word)
    )
