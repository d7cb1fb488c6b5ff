"""Which rows of the audit log hold what, as sets of positions that are cheap to intersect.

An index answers one filter; with two it must walk all rows of one of them, and each may be half of
a million. So every value of every filter has its positions marked, in chunks of 4096: a few as
numbers of two bytes, many as 4096 bits. Whatever is combined, a million rows are 244 chunks for
each filter, joined by the processor's *and*, and counting is counting bits.
"""

from __future__ import annotations

import functools
import struct
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import cast

from app.application.views import AuditRow
from projections.audit_log.questions import Interval, Term
from projections.database import Database, Session, Write, inserting
from projections.views import Tables

CHUNK = 4096
"""Positions."""
EVERYTHING = Term("", ("",))
"""Marks every row there is; positions may have gaps."""

Key = tuple[str, str]
"""A filter and one of its values."""
Chunks = Mapping[int, list[bytes]]
"""Sets to be united, by number of chunk."""

_FEW = 64
"""From here on bits take less time than numbers."""
_BITS = tuple(1 << offset for offset in range(CHUNK))


def definitions(database: Database) -> tuple[str, ...]:
    """Return the statements that create the tables."""
    return (_MARKS % (database.bytes_type, database.clustered), _SPANS)


class Marks:
    """Marks under way; rows come in the order of their positions."""

    def __init__(self, tables: Tables, stored: Callable[[int, Key], bytes]) -> None:
        """Begin anywhere; ``stored`` returns what a set of that chunk holds already."""
        self._tables = tables
        self._stored = stored
        self._chunk = -1
        self._marked: dict[Key, bytes] = {}

    def take(self, rows: Sequence[AuditRow], moments: Sequence[str]) -> list[Write]:
        """Mark rows; ``moments`` are ``sortable``."""
        sets: list[tuple[str, str, int, bytes]] = []
        spans: list[tuple[int, str, str]] = []
        start = 0
        while start < len(rows):
            chunk = rows[start].position // CHUNK
            end = bisect_left(rows, (chunk + 1) * CHUNK, start, key=_position)
            part, at = rows[start:end], moments[start:end]
            sets += [(*key, chunk, marked) for key, marked in self._joined(chunk, part, at)]
            spans.append((chunk, min(at), max(at)))
            start = end
        return [
            inserting(self._tables.sql(_INTO_MARKS), sets, _REPLACING),
            inserting(self._tables.sql(_INTO_SPANS), spans, self._tables.sql(_WIDENING)),
        ]

    def _joined(
        self, chunk: int, rows: Sequence[AuditRow], moments: Sequence[str]
    ) -> Iterator[tuple[Key, bytes]]:
        """Yield the sets of a chunk that have grown."""
        if chunk != self._chunk:
            self._chunk, self._marked = chunk, {}
        first = chunk * CHUNK
        offsets = [row.position - first for row in rows]
        for field, values in _columns(rows, moments):
            fresh: dict[str | None, list[int]] = defaultdict(list)
            for offset, value in zip(offsets, values, strict=True):
                fresh[value].append(offset)
            fresh.pop(None, None)
            yield from self._grown(field, fresh)
        signed: dict[str | None, list[int]] = defaultdict(list)
        for offset, row in zip(offsets, rows, strict=True):
            if row.signer is not None:
                for value in set(row.signer.values()):
                    signed[value].append(offset)
        yield from self._grown("signer", signed)

    def _grown(
        self, field: str, fresh: Mapping[str | None, list[int]]
    ) -> Iterator[tuple[Key, bytes]]:
        for value, offsets in fresh.items():
            key = (field, cast("str", value))
            before = self._marked.get(key)
            if before is None:
                before = self._stored(self._chunk, key)
            self._marked[key] = after = _joined(before, offsets)
            yield key, after


def stored_marks(session: Session, tables: Tables) -> Callable[[int, Key], bytes]:
    """Return what looks up the set of a value in a chunk."""
    begun = functools.cache(lambda chunk: bool(session.rows(tables.sql(_BEGUN), chunk)))

    def stored(chunk: int, key: Key) -> bytes:
        found = session.rows(tables.sql(_GET), *key, chunk) if begun(chunk) else []
        return bytes(found[0][0]) if found else b""

    return stored


def read_marks(
    session: Session, tables: Tables, term: Term, first: int, last: int
) -> dict[int, list[bytes]]:
    """Return the sets of a term in the chunks from ``first`` to ``last``."""
    chunks: dict[int, list[bytes]] = defaultdict(list)
    for value in term.values:
        if isinstance(value, Interval):
            found = session.rows(
                tables.sql(_IN_INTERVAL), term.field, value.start, value.end, first, last
            )
        else:
            found = session.rows(tables.sql(_OF_VALUE), term.field, value, first, last)
        for chunk, positions in found:
            chunks[chunk].append(positions)
    return chunks


def read_values(
    session: Session, tables: Tables, field: str, first: int, last: int
) -> Iterator[tuple[str, int, int]]:
    """Yield each value of a field with its sets, as value, chunk and bits."""
    for value, chunk, positions in session.rows(tables.sql(_OF_FIELD), field, first, last):
        yield value, chunk, bits_of(positions)


def some_values(
    session: Session, tables: Tables, field: str, interval: Interval, limit: int
) -> list[str]:
    """Return values of a field that lie in an interval, in order."""
    found = session.rows(tables.sql(_VALUES), field, interval.start, interval.end, limit)
    return [value for (value,) in found]


def bits_of(positions: bytes) -> int:
    """Return a set as bits, the chunk's first position lowest."""
    if len(positions) == CHUNK // 8:
        return int.from_bytes(positions, "little")
    return sum(map(_BITS.__getitem__, _offsets(positions)))


def united(sets: Iterable[bytes]) -> int:
    """Return the union of sets of one chunk as bits."""
    bits = 0
    for positions in sets:
        bits |= bits_of(positions)
    return bits


def bits_between(chunk: int, first: int, last: int) -> int:
    """Return the bits of the chunk's positions from ``first`` to ``last``."""
    low = max(0, first - chunk * CHUNK)
    high = min(CHUNK - 1, last - chunk * CHUNK)
    return ((1 << (high - low + 1)) - 1) << low if high >= low else 0


def positions_in(chunk: int, bits: int, *, descending: bool) -> Iterator[int]:
    """Yield the positions of a set, in order."""
    base = chunk * CHUNK
    while bits:
        offset = (bits if descending else bits & -bits).bit_length() - 1
        bits ^= _BITS[offset]
        yield base + offset


_position = attrgetter("position")


def _columns(
    rows: Sequence[AuditRow], moments: Sequence[str]
) -> Iterator[tuple[str, Iterable[str | None]]]:
    yield "", [""] * len(rows)
    yield "type", [row.type for row in rows]
    yield "actor", [row.actor for row in rows]
    yield "origin", [row.origin for row in rows]
    yield "hook", [row.hook for row in rows]
    yield "name", [row.hook_name for row in rows]
    yield "trigger", [row.trigger for row in rows]
    yield "commit", [row.commit for row in rows]
    yield "correlation", [row.correlation_id for row in rows]
    yield "day", [moment[:10] for moment in moments]


def _joined(stored: bytes, offsets: list[int]) -> bytes:
    if len(stored) // 2 + len(offsets) < _FEW:
        return stored + struct.pack(f"<{len(offsets)}H", *offsets)
    bits = bits_of(stored) | sum(map(_BITS.__getitem__, offsets))
    return bits.to_bytes(CHUNK // 8, "little")


def _offsets(positions: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(positions) // 2}H", positions)


_MARKS = """
CREATE TABLE {marks} (
    field TEXT NOT NULL,
    value TEXT NOT NULL,
    chunk BIGINT NOT NULL,
    positions %s NOT NULL,
    PRIMARY KEY (field, value, chunk)
)%s"""
_SPANS = """
CREATE TABLE {spans} (chunk BIGINT PRIMARY KEY, first_at TEXT NOT NULL, last_at TEXT NOT NULL)"""
_GET = "SELECT positions FROM {marks} WHERE field = ? AND value = ? AND chunk = ?"
_INTO_MARKS = "INSERT INTO {marks}"
_REPLACING = "ON CONFLICT (field, value, chunk) DO UPDATE SET positions = excluded.positions"
_BEGUN = "SELECT 1 FROM {spans} WHERE chunk = ?"
_INTO_SPANS = "INSERT INTO {spans}"
_WIDENING = """
ON CONFLICT (chunk) DO UPDATE SET
first_at = CASE WHEN excluded.first_at < {spans}.first_at THEN excluded.first_at
    ELSE {spans}.first_at END,
last_at = CASE WHEN excluded.last_at > {spans}.last_at THEN excluded.last_at
    ELSE {spans}.last_at END"""
_OF_VALUE = """
SELECT chunk, positions FROM {marks}
WHERE field = ? AND value = ? AND chunk >= ? AND chunk <= ?"""
_IN_INTERVAL = """
SELECT chunk, positions FROM {marks}
WHERE field = ? AND value >= ? AND value < ? AND chunk >= ? AND chunk <= ?"""
_OF_FIELD = """
SELECT value, chunk, positions FROM {marks} WHERE field = ? AND chunk >= ? AND chunk <= ?"""
_VALUES = """
SELECT DISTINCT value FROM {marks} WHERE field = ? AND value >= ? AND value < ?
ORDER BY value LIMIT ?"""
