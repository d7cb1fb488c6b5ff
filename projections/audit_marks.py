"""Which rows of the audit log hold what, as sets of positions that are cheap to intersect.

An index answers one filter; with two it must walk all rows of one of them, and each may be half of
a million. So every value of every filter has its positions marked, in chunks of 4096: a few as
numbers of two bytes, many as 4096 bits. Whatever is combined, a million rows are 244 chunks for
each filter, joined by the processor's *and*, and counting is counting bits.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.application.views import AuditRow
from projections.audit_query import Interval, Term
from projections.views import Database, Session, Tables

CHUNK = 4096
"""Positions."""
EVERYTHING = Term("", ("",))
"""Marks every row there is; positions may have gaps."""

Chunks = Mapping[int, list[bytes]]
"""Sets to be united, by number of chunk."""

_FEW = 64
"""From here on bits take less time than numbers."""
_BITS = tuple(1 << offset for offset in range(CHUNK))


def definitions(database: Database) -> tuple[str, ...]:
    """Return the statements that create the tables."""
    return (_MARKS % (database.bytes_type, database.clustered), _SPANS)


def add_marks(
    session: Session, tables: Tables, rows: Sequence[AuditRow], moments: Sequence[str]
) -> None:
    """Mark rows whose positions follow those marked before; ``moments`` are ``sortable``."""
    fresh: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    spans: dict[int, list[str]] = defaultdict(list)
    for row, moment in zip(rows, moments, strict=True):
        chunk, offset = divmod(row.position, CHUNK)
        spans[chunk].append(moment)
        for field, value in _marked(row, moment[:10]):
            fresh[field, value, chunk].append(offset)
    begun = {chunk for chunk in spans if session.rows(tables.sql(_BEGUN), chunk)}
    session.run_many(
        tables.sql(_PUT),
        [
            (*key, _joined(_stored(session, tables, key) if key[2] in begun else b"", offsets))
            for key, offsets in fresh.items()
        ],
    )
    session.run_many(tables.sql(_SPAN), [(chunk, min(at), max(at)) for chunk, at in spans.items()])


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


def _marked(row: AuditRow, day: str) -> Iterator[tuple[str, str]]:
    yield "", ""
    signer: Mapping[str, Any] = row.signer or {}
    for field, value in (
        ("type", row.type),
        ("actor", row.actor),
        ("origin", row.origin),
        ("hook", row.hook),
        ("name", row.hook_name),
        ("trigger", row.trigger),
        ("commit", row.commit),
        ("correlation", row.correlation_id),
        ("day", day),
    ):
        if value is not None:
            yield field, value
    for value in dict.fromkeys(signer.values()):
        yield "signer", value


def _stored(session: Session, tables: Tables, key: tuple[str, str, int]) -> bytes:
    found = session.rows(tables.sql(_GET), *key)
    return bytes(found[0][0]) if found else b""


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
_PUT = """
INSERT INTO {marks} VALUES (?, ?, ?, ?)
ON CONFLICT (field, value, chunk) DO UPDATE SET positions = excluded.positions"""
_BEGUN = "SELECT 1 FROM {spans} WHERE chunk = ?"
_SPAN = """
INSERT INTO {spans} VALUES (?, ?, ?) ON CONFLICT (chunk) DO UPDATE SET
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
