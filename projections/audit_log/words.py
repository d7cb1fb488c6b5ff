"""Which rows of the audit log hold some words, found in steps that each take a bounded time.

A text index joins two frequent words by walking through both lists, to the end if they never meet;
no limit on positions stops it on its way. So each partition of the log has an index of its own, and
what one question to it can cost is known.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from app.domain.revisions import Position
from projections.audit_log.marks import CHUNK, bits_between
from projections.database import Database, Session, Write, running
from projections.views import Tables

CHUNKS_OF_PARTITION = 16
PARTITION = CHUNKS_OF_PARTITION * CHUNK
"""Positions; two words that never meet take at most about 10 ms."""

_FEW = 512
"""Positions that are rather asked for one by one than met with all that hold the words."""
_BATCH = 2048


@dataclass(frozen=True, slots=True)
class Step:
    """What a question to the index has brought."""

    positions: tuple[int, ...]
    reached: int
    """All before this position, itself included, has been examined, in the order of the walk."""


class Words:
    """Words under way; rows come in the order of their positions."""

    def __init__(self, database: Database, tables: Tables, begun: Callable[[int], bool]) -> None:
        """``begun`` tells whether the tables of a partition exist, before any row is taken."""
        self._database = database
        self._tables = tables
        self._begun = begun
        self._newest = -1

    def take(self, rows: Sequence[tuple[Position, str]]) -> Iterator[Write]:
        """Index texts by position."""
        by_partition: dict[int, list[tuple[Position, str]]] = {}
        for row in rows:
            by_partition.setdefault(row[0] // PARTITION, []).append(row)
        for partition, members in by_partition.items():
            table = _table(self._tables, partition)
            if partition > self._newest and not self._begun(partition):
                yield from map(running, self._database.text_tables(table))
            self._newest = partition
            yield functools.partial(self._add, table, members)

    def _add(self, table: str, rows: Sequence[tuple[Position, str]], session: Session) -> None:
        self._database.add_texts(session, table, rows)


def stored_words(session: Session, tables: Tables) -> Callable[[int], bool]:
    """Return what tells whether a partition has begun; to be asked before rows are marked."""
    return lambda partition: bool(session.rows(tables.sql(_ANY), *_chunks(partition)))


def drop_words(database: Database, session: Session, tables: Tables) -> None:
    """Remove every partition; the marks must still be there."""
    chunks = (chunk for (chunk,) in session.rows(tables.sql(_ALL)))
    for partition in sorted({chunk // CHUNKS_OF_PARTITION for chunk in chunks}):
        for statement in database.drop_text(_table(tables, partition)):
            session.run(statement)


def with_words(
    database: Database,
    session: Session,
    tables: Tables,
    words: Sequence[str],
    left: dict[int, int],
    bounds: tuple[int, int],
    *,
    descending: bool,
) -> Iterator[Step]:
    """Yield those of the positions ``left`` (bits by chunk) whose rows hold all ``words``.

    ``bounds`` are the first and the last position that ``left`` tells of.
    """
    parameter = database.word_query(words)
    partitions = sorted({chunk // CHUNKS_OF_PARTITION for chunk in left}, reverse=descending)
    for partition in partitions:
        sql = database.word_walk(_table(tables, partition), descending=descending)
        wanted = _Wanted(left, partition, bounds, descending=descending)
        batch = 1 if wanted.count <= _FEW else _BATCH
        while wanted.chunks:
            found = [p for (p,) in session.rows(sql, parameter, *wanted.range(), batch)]
            reached = found[-1] if len(found) == batch else wanted.end
            yield Step(tuple(filter(wanted.holds, found)), reached)
            wanted.pass_by(reached)


def bits_with_words(
    database: Database,
    session: Session,
    tables: Tables,
    words: Sequence[str],
    left: dict[int, int],
    bounds: tuple[int, int],
) -> Iterator[tuple[dict[int, int], int]]:
    """Yield what ``with_words`` finds, the newest first, for those who only count it.

    That is bits by chunk, a partition at a time, each with the position that is then reached. The
    positions come as one text: a row of the database for each would take three times as long.
    """
    parameter = database.word_query(words)
    for partition in sorted({chunk // CHUNKS_OF_PARTITION for chunk in left}, reverse=True):
        wanted = _Wanted(left, partition, bounds, descending=True)
        if wanted.count <= _FEW:
            steps = with_words(
                database, session, tables, words, wanted.chunks, bounds, descending=True
            )
            found = [position for step in steps for position in step.positions]
        else:
            walk = database.word_walk(_table(tables, partition), descending=True)
            sql = f"SELECT json_group_array(rowid) FROM ({walk})"  # noqa: S608 (a query of ours)
            ((text,),) = session.rows(sql, parameter, *wanted.range(), PARTITION)
            found = msgspec.json.decode(text)
        yield wanted.among(found), wanted.end


class _Wanted:
    """What is still to be examined of one partition, in the order of the walk."""

    def __init__(
        self, left: dict[int, int], partition: int, bounds: tuple[int, int], *, descending: bool
    ) -> None:
        first, last = _chunks(partition)
        self.chunks = {chunk: left[chunk] for chunk in range(first, last + 1) if left.get(chunk)}
        self.count = sum(bits.bit_count() for bits in self.chunks.values())
        self._descending = descending
        lowest, highest = max(bounds[0], first * CHUNK), min(bounds[1], (last + 1) * CHUNK - 1)
        self.end = lowest if descending else highest
        """The last position there is to examine."""

    def range(self) -> tuple[int, int]:
        """Return the lowest and the highest position."""
        low, high = min(self.chunks), max(self.chunks)
        lowest = self.chunks[low] & -self.chunks[low]
        return (
            low * CHUNK + lowest.bit_length() - 1,
            high * CHUNK + self.chunks[high].bit_length() - 1,
        )

    def holds(self, position: int) -> bool:
        chunk, offset = divmod(position, CHUNK)
        return bool(self.chunks.get(chunk, 0) >> offset & 1)

    def among(self, positions: Sequence[int]) -> dict[int, int]:
        """Return those of the positions that are wanted, as bits by chunk, none empty."""
        bits_of = _bits_of_few if len(positions) <= _FEW else _bits_of_many
        marked = bits_of(positions, self.chunks)
        return {
            chunk: both for chunk, bits in marked.items() if (both := bits & self.chunks[chunk])
        }

    def pass_by(self, position: int) -> None:
        """Forget everything up to ``position``, itself included."""
        low, high = (0, position - 1) if self._descending else (position + 1, 2**63)
        self.chunks = {
            chunk: inside
            for chunk, bits in self.chunks.items()
            if (inside := bits & bits_between(chunk, low, high))
        }


def _bits_of_few(positions: Sequence[int], chunks: Iterable[int]) -> dict[int, int]:
    bits = dict.fromkeys(chunks, 0)
    for position in positions:
        chunk, offset = divmod(position, CHUNK)
        if chunk in bits:
            bits[chunk] |= 1 << offset
    return bits


def _bits_of_many(positions: Sequence[int], chunks: Iterable[int]) -> dict[int, int]:
    """Ask for each position of a chunk whether it is there: six times as fast as setting bits."""
    is_there = frozenset(positions).__contains__
    return {
        chunk: int(
            bytes(map(is_there, range((chunk + 1) * CHUNK - 1, chunk * CHUNK - 1, -1))).translate(
                _DIGITS
            ),
            2,
        )
        for chunk in chunks
    }


_DIGITS = bytes.maketrans(b"\0\1", b"01")


def _table(tables: Tables, partition: int) -> str:
    return tables.table(f"events_{partition}")


def _chunks(partition: int) -> tuple[int, int]:
    first = partition * CHUNKS_OF_PARTITION
    return first, first + CHUNKS_OF_PARTITION - 1


_ANY = "SELECT 1 FROM {spans} WHERE chunk >= ? AND chunk <= ? LIMIT 1"
_ALL = "SELECT chunk FROM {spans}"
