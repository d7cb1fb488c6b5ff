"""Find the positions that answer a question, in either direction, in a bounded time.

The walk goes over windows of chunks and joins the marks of every filter; what they leave is met
with the text index. Words that are frequent and never meet are what no index can help, so a walk
with words that has taken ``PATIENCE`` stops and says how far it came: the page may hold fewer rows
than asked for and is continued as any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from projections.audit_log.marks import (
    CHUNK,
    EVERYTHING,
    bits_between,
    positions_in,
    read_marks,
    united,
)
from projections.audit_log.questions import Conditions
from projections.audit_log.words import Step, bits_with_words, with_words
from projections.database import Database, Session
from projections.views import Tables

PATIENCE = 0.008
"""Seconds; the last step may take as long again."""

_FIRST_WINDOW, _LARGEST_WINDOW = 8, 64
"""Chunks; a page is mostly found in few, a rare row in many."""
_PAST = "~"
"""Sorts after every instant."""


@dataclass(frozen=True, slots=True)
class Found:
    """Positions in the order of the walk."""

    positions: tuple[int, ...]
    reached: int | None
    """The last position that was examined, if the walk stopped before its end."""


@dataclass(slots=True)
class Search:
    """One question within one transaction."""

    database: Database
    session: Session
    tables: Tables
    conditions: Conditions
    patience: float = PATIENCE
    clock: Callable[[], float] = time.perf_counter
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock()

    @property
    def takes_too_long(self) -> bool:
        """Whether a walk with words should stop; without words none takes long."""
        return bool(self.conditions.words) and self.clock() - self._started > self.patience

    def find(self, first: int, last: int, *, descending: bool, wanted: int) -> Found:
        """Return up to ``wanted`` positions from ``first`` to ``last``, both inclusive."""
        positions: list[int] = []
        for low, high in _windows(first, last, descending=descending):
            for step in self.steps(low, high, descending=descending):
                positions += step.positions
                if len(positions) >= wanted:
                    return Found(tuple(positions[:wanted]), positions[wanted - 1])
                if first < step.reached < last and self.takes_too_long:
                    return Found(tuple(positions), step.reached)
        return Found(tuple(positions), None)

    def steps(self, low: int, high: int, *, descending: bool) -> Iterator[Step]:
        """Yield what fulfils all conditions in a range."""
        left = self.matches(low, high)
        if self.conditions.words:
            yield from with_words(
                self.database,
                self.session,
                self.tables,
                self.conditions.words,
                left,
                (low, high),
                descending=descending,
            )
            return
        for chunk in sorted(left, reverse=descending):
            positions = tuple(positions_in(chunk, left[chunk], descending=descending))
            yield Step(positions, positions[-1])

    def bits(self, low: int, high: int) -> Iterator[tuple[dict[int, int], int]]:
        """Yield what fulfils all conditions in a range, the newest first, as bits by chunk.

        Each time with the position that is then reached; there must be words.
        """
        yield from bits_with_words(
            self.database,
            self.session,
            self.tables,
            self.conditions.words,
            self.matches(low, high),
            (low, high),
        )

    def matches(self, low: int, high: int) -> dict[int, int]:
        """Return what the filters, words apart, leave of a range: bits by chunk, none empty."""
        chunks = self._in_time(low // CHUNK, high // CHUNK)
        for term in self.conditions.terms or (EVERYTHING,):
            if not chunks:
                break
            marks = read_marks(self.session, self.tables, term, min(chunks), max(chunks))
            chunks = {
                chunk: joined
                for chunk, bits in chunks.items()
                if chunk in marks and (joined := bits & united(marks[chunk]))
            }
        return {
            chunk: inside
            for chunk, bits in chunks.items()
            if (inside := bits & bits_between(chunk, low, high))
        }

    def _in_time(self, first: int, last: int) -> dict[int, int]:
        """Return the chunks that hold the wanted time, with the positions in it where it matters.

        Clocks may differ between processes, so positions are not always in the order of time.
        """
        since, until = self.conditions.since or "", self.conditions.until or _PAST
        whole = (1 << CHUNK) - 1
        chunks = {}
        for chunk, first_at, last_at in self.session.rows(self.tables.sql(_SPANS), first, last):
            if since <= first_at and last_at < until:
                chunks[chunk] = whole
            elif since <= last_at and first_at < until:
                chunks[chunk] = self._part(chunk, max(since, first_at), min(until, last_at + "0"))
        return chunks

    def _part(self, chunk: int, since: str, until: str) -> int:
        base = chunk * CHUNK
        sql = self.tables.sql(_BETWEEN)
        found = self.session.rows(sql, since, until, base, base + CHUNK - 1)
        return bits_of_positions(position for (position,) in found).get(chunk, 0)


def bits_of_positions(positions: Iterator[int]) -> dict[int, int]:
    """Return positions as bits by chunk."""
    held: dict[int, bytearray] = {}
    for position in positions:
        chunk, offset = divmod(position, CHUNK)
        held.setdefault(chunk, bytearray(CHUNK // 8))[offset >> 3] |= 1 << (offset & 7)
    return {chunk: int.from_bytes(bits, "little") for chunk, bits in held.items()}


def windows(first: int, last: int) -> Sequence[tuple[int, int]]:
    """Split a range of positions, newest first, at the borders of chunks."""
    return tuple(_windows(first, last, descending=True))


def _windows(first: int, last: int, *, descending: bool) -> Iterator[tuple[int, int]]:
    size = _FIRST_WINDOW
    while first <= last:
        if descending:
            low = max(first, (last // CHUNK - size + 1) * CHUNK)
            yield low, last
            last = low - 1
        else:
            high = min(last, (first // CHUNK + size) * CHUNK - 1)
            yield first, high
            first = high + 1
        size = min(2 * size, _LARGEST_WINDOW)


_SPANS = "SELECT chunk, first_at, last_at FROM {spans} WHERE chunk >= ? AND chunk <= ?"
# The signs make SQLite look the time up, and not read 4096 whole rows.
_BETWEEN = """
SELECT position FROM {events} WHERE at >= ? AND at < ? AND +position >= ? AND +position <= ?"""
