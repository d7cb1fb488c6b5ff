"""The Merkle tree's hashes as tiles of 256: written at the edge, read from anywhere.

Tile ``number`` of ``level`` holds the hashes of the complete subtrees of ``256**level`` leaves from
``256 * number`` on (the shape of C2SP's ``tlog-tiles``). Hashes between two levels are computed
from the 256 below, in a tenth of a millisecond, so a million events take 4,000 rows, and a proof
reads a handful.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.domain.history.transparency import HASH_BYTES, complete_hash
from projections.database import Session, Write, inserting
from projections.views import Tables

LEVEL_BITS = 8
WIDTH = 1 << LEVEL_BITS
"""Hashes in a full tile."""
TILE_BYTES = WIDTH * HASH_BYTES

TILES = """
CREATE TABLE {tiles} (
    level INTEGER NOT NULL, number BIGINT NOT NULL, hashes %s NOT NULL,
    PRIMARY KEY (level, number)
)"""
GAPS = """
CREATE TABLE {gaps} (position %s, missing BIGINT NOT NULL)"""
"""From ``position`` on, so many positions before it hold no event; empty on SQLite, which counts
without gaps."""

_LAST = "SELECT number, hashes FROM {tiles} WHERE level = ? ORDER BY number DESC LIMIT 1"
_READ = "SELECT hashes FROM {tiles} WHERE level = ? AND number = ?"
_RUN = """
SELECT hashes FROM {tiles} WHERE level = 0 AND number >= ? ORDER BY number LIMIT 64"""
_INTO_TILES = "INSERT INTO {tiles}"
_REPLACING = "ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes"
_INTO_GAPS = "INSERT INTO {gaps}"
_GAPS = "SELECT position, missing FROM {gaps} ORDER BY position"


class StoredTree:
    """The tree as one transaction sees it."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._tables = tables
        self._read: dict[tuple[int, int], bytes] = {}
        self._gaps: list[tuple[int, int]] = session.rows(tables.sql(_GAPS))

    def size(self) -> int:
        """Return the number of leaves."""
        number, hashes = self._last(0)
        return number * WIDTH + len(hashes) // HASH_BYTES

    def subtree(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree; raises ``LookupError`` if it is not stored."""
        tile_level, within = divmod(level, LEVEL_BITS)
        first, count = index << within, 1 << within
        number, entry = first >> LEVEL_BITS, first & (WIDTH - 1)
        tile = self._tile(tile_level, number)
        stored = tile[entry * HASH_BYTES : (entry + count) * HASH_BYTES]
        if len(stored) != count * HASH_BYTES:
            raise LookupError(f"the tree holds no subtree {index} of level {level}")
        return complete_hash(_hashes(stored))

    def index_of(self, position: int) -> int:
        """Return the leaf that an event at ``position`` is."""
        missing = next((m for p, m in reversed(self._gaps) if p <= position), 0)
        return position - 1 - missing

    def position_of(self, index: int) -> int:
        """Return the position of the event that is a leaf."""
        missing = next((m for p, m in reversed(self._gaps) if p - 1 - m <= index), 0)
        return index + 1 + missing

    def leaf_tiles(self) -> Iterator[bytes]:
        """Return the leaves' hashes, 256 at a time."""
        number = 0
        while rows := self._session.rows(self._tables.sql(_RUN), number):
            yield from (bytes(hashes) for (hashes,) in rows)
            number += len(rows)

    def edge(self) -> Edge:
        """Return what it takes to let the tree grow."""
        last: list[tuple[int, bytes]] = []
        while rows := self._session.rows(self._tables.sql(_LAST), len(last)):
            last.append((rows[0][0], bytes(rows[0][1])))
        return Edge(self._tables, last, self._gaps[-1][1] if self._gaps else 0)

    def _last(self, level: int) -> tuple[int, bytes]:
        rows = self._session.rows(self._tables.sql(_LAST), level)
        return rows[0] if rows else (0, b"")

    def _tile(self, level: int, number: int) -> bytes:
        if (level, number) not in self._read:
            rows = self._session.rows(self._tables.sql(_READ), level, number)
            self._read[level, number] = bytes(rows[0][0]) if rows else b""
        return self._read[level, number]


class Edge:
    """What a tree grows from: the last tile of each level, and how many positions hold no event."""

    def __init__(
        self, tables: Tables, last: Sequence[tuple[int, bytes]] = (), missing: int = 0
    ) -> None:
        self._tables = tables
        self._last = list(last)
        self._missing = missing

    def append(self, leaves: Sequence[tuple[int, bytes]]) -> list[Write]:
        """Add leaves, each with its event's position."""
        gaps = self._passed([position for position, _ in leaves])
        tiles: list[tuple[int, int, bytes]] = []
        level, added = 0, b"".join([leaf for _, leaf in leaves])
        while added:
            if level == len(self._last):
                self._last.append((0, b""))
            added = self._extended(level, added, tiles)
            level += 1
        return [
            inserting(self._tables.sql(_INTO_GAPS), gaps),
            inserting(self._tables.sql(_INTO_TILES), tiles, _REPLACING),
        ]

    def _passed(self, positions: Sequence[int]) -> list[tuple[int, int]]:
        """Return the gaps before and between positions."""
        gaps = []
        number, hashes = self._last[0] if self._last else (0, b"")
        expected = number * WIDTH + len(hashes) // HASH_BYTES + self._missing + 1
        for position in positions:
            if position != expected:
                self._missing += position - expected
                gaps.append((position, self._missing))
            expected = position + 1
        return gaps

    def _extended(self, level: int, added: bytes, tiles: list[tuple[int, int, bytes]]) -> bytes:
        """Put hashes behind the last ones of a level; return those of the tiles now full."""
        number, last = self._last[level]
        if len(last) == TILE_BYTES:
            number, last = number + 1, b""
        hashes = last + added
        whole = [hashes[at : at + TILE_BYTES] for at in range(0, len(hashes), TILE_BYTES)]
        tiles.extend((level, number + n, tile) for n, tile in enumerate(whole))
        self._last[level] = (number + len(whole) - 1, whole[-1])
        return b"".join([complete_hash(_hashes(tile)) for tile in whole if len(tile) == TILE_BYTES])


def _hashes(tile: bytes) -> list[bytes]:
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]
