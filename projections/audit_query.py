"""Questions to the audit log, checked and turned into SQL conditions that an index can answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.application.views import AuditQuery
from app.domain.errors import Problem, Rejected
from app.domain.revisions import Position

MAX_LIMIT = 1000
MAX_WORDS = 32
MAX_WORD_LENGTH = 200

_LAST = Position(2**63 - 1)
_FOREVER = "9999"
_CURSOR = re.compile(r"a1\.([0-9a-z]{1,13})\Z")
_COMMIT = re.compile(r"[0-9a-f]{7,40}\Z")
_ULID = re.compile(r"(?=.*[A-Z])[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a page must hold, joined by *and*, and the words its rows' texts must hold."""

    clauses: tuple[str, ...]
    parameters: tuple[Any, ...]
    words: tuple[str, ...]

    @property
    def only_ranges(self) -> bool:
        """Whether there are clauses, and none asks for one exact value."""
        return bool(self.clauses) and not any(" = " in clause for clause in self.clauses)


def conditions_of(query: AuditQuery) -> Conditions:
    """Translate the filters; raise ``Rejected`` with everything that is wrong with them."""
    problems = [*_problems(query)]
    if problems:
        raise Rejected("The audit log cannot be asked that.", problems=problems)
    filters = list(_filters(query))
    return Conditions(
        clauses=tuple(clause for clause, _ in filters),
        parameters=tuple(parameter for _, parameter in filters),
        words=_words(query.text),
    )


def check_limit(limit: int) -> int:
    """Return the size of a page; raise ``Rejected`` if it is none."""
    if not 1 <= limit <= MAX_LIMIT:
        problem = Problem(f"must be between 1 and {MAX_LIMIT}", key="limit")
        raise Rejected("The audit log cannot be asked that.", problems=[problem])
    return limit


def cursor_at(position: Position) -> str:
    """Return the opaque text that continues a list below ``position``."""
    digits = ""
    number = int(position)
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return f"a1.{digits}"


def position_below(cursor: str | None) -> Position:
    """Return the position a page stays below; raise ``Rejected`` for a cursor not one of ours."""
    if cursor is None:
        return _LAST
    match = _CURSOR.match(cursor)
    position = int(match.group(1), 36) if match else 0
    if not 0 < position <= _LAST:
        problem = Problem("is not a cursor of the audit log; begin without one", key="cursor")
        raise Rejected("The audit log cannot be continued there.", problems=[problem])
    return Position(position)


def sortable(at: datetime) -> str:
    """Write an instant in UTC so that texts sort as instants do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _filters(query: AuditQuery) -> Iterator[tuple[str, str]]:
    if query.actor is not None:
        yield "actor = ?", query.actor
    if query.hook is not None:
        # Names are lower-case and ULIDs are not, so one of two indexes answers.
        yield "hook = ?" if _ULID.match(query.hook) else "hook_name = ?", query.hook
    if query.trigger is not None:
        yield "trigger_id = ?", query.trigger
    if query.type is not None:
        yield "type = ?" if "." in query.type else "kind = ?", query.type
    if query.commit is not None:
        yield from _commit_filters(query.commit.lower())
    if query.since is not None:
        yield "at >= ?", sortable(query.since)
        if query.until is None:
            # "Since" mostly asks for the last hours. An open end would make SQLite, which has no
            # statistics, walk down all positions to find that there are no more such rows.
            yield "at < ?", _FOREVER
    if query.until is not None:
        yield "at < ?", sortable(query.until)


def _commit_filters(commit: str) -> Iterator[tuple[str, str]]:
    if len(commit) == 40:  # noqa: PLR2004 (digits of a SHA-1)
        yield "commit_sha = ?", commit
    else:
        yield "commit_sha >= ?", commit
        yield "commit_sha < ?", commit + "g"  # the letter after the last digit


def _problems(query: AuditQuery) -> Iterator[Problem]:
    if query.commit is not None and not _COMMIT.match(query.commit.lower()):
        yield Problem("must be 7 to 40 hexadecimal digits", key="commit")
    for key, instant in (("since", query.since), ("until", query.until)):
        if instant is not None and instant.tzinfo is None:
            yield Problem("must name its time zone, e.g. end with `Z`", key=key)
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
