"""Tables of layouts that no view has any more, removed in steps that hold nobody up.

A view of a new layout starts empty, under a new name, beside the tables of the old one. Once it has
taken in what they had, they only take room. To drop a table of a million rows at once would keep
those who save waiting for seconds: so the rows go first, a few to a transaction. SQLite keeps the
room in the file, for what is written next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from app.domain.revisions import Position
from projections.database import Database, Session
from projections.views import StoredView

ROWS = 500
"""Of a table to a transaction: some 10 ms."""
PAUSE = 0.05
"""Seconds between two transactions."""
PAUSE_BEHIND = 2.0
"""The same, until the view has caught up."""

_PARTS = ("content", "data", "docsize", "idx")
_LAST_OF_STRUCTURE = 10
"""Of the rows of ``data``: 1 holds averages, 10 the segments (FTS5, section 6.2)."""

_LAYOUT = re.compile(r"(\w+)_v(\d+)\Z")


def remove_old_layouts(database: Database, views: Sequence[StoredView]) -> Iterator[float]:
    """Remove them step by step; each yields the seconds to wait before the next.

    What is of a newer layout stays: its server may come back. May be broken off, and taken up
    again by anybody. Raises ``Transient`` and ``Stalled``.
    """
    for view in views:
        with database.read() as session:
            older = _older(session, view.name)
        for name in older:
            while not _superseded(database, view, name):
                yield PAUSE_BEHIND
            yield from _removed(database, name)


def _older(session: Session, current: str) -> list[str]:
    """Return the names of a view's older layouts that have left something."""
    base, version = _parted(current)
    known = [name for (name,) in session.rows("SELECT name FROM projection_positions")]
    tables = re.compile(rf"({re.escape(base)}_v\d+)_g\d+_")
    known += [found[1] for name in _tables(session, base) if (found := tables.match(name))]
    return [
        name
        for name in sorted(set(known))
        if _LAYOUT.match(name) and _parted(name)[0] == base and _parted(name)[1] < version
    ]


def _superseded(database: Database, view: StoredView, older: str) -> bool:
    with database.read() as session:
        left = session.rows("SELECT position FROM projection_positions WHERE name = ?", older)
    return not left or view.position() >= Position(left[0][0])


def _removed(database: Database, name: str) -> Iterator[float]:
    with database.write() as session:
        # Now an older server that comes back starts anew, and does not believe half-empty tables.
        session.run("DELETE FROM projection_positions WHERE name = ?", name)
    with database.read() as session:
        tables = _tables(session, f"{name}_g")
        virtual = [table for table in tables if _is_virtual(session, table)]
        # A text index is made of tables too; it cannot be dropped without its settings.
        parts = {f"{index}_{part}" for index in virtual for part in _PARTS}
        settings = {f"{index}_config" for index in virtual}
        full = [table for table in tables if table not in {*virtual, *settings}]
    for table in full:
        yield from _emptied(database, table, spare=table in parts and table.endswith("_data"))
    for table in (*virtual, *full):
        with database.write() as session:
            session.run(f"DROP TABLE IF EXISTS {table}")
        yield PAUSE


def _emptied(database: Database, table: str, *, spare: bool) -> Iterator[float]:
    """Take the rows; with ``spare``, not those by which a text index knows what it is."""
    with database.read() as session:
        columns = session.rows("SELECT name FROM pragma_table_info(?) WHERE pk > 0", table)
    key = ", ".join(f'"{column}"' for (column,) in columns) or "rowid"
    where = f"WHERE id > {_LAST_OF_STRUCTURE}" if spare else ""
    some = f"SELECT {key} FROM {table} {where} LIMIT {ROWS}"  # noqa: S608 (names of ours)
    gone = ROWS
    while gone == ROWS:
        with database.write() as session:
            session.run(f"DELETE FROM {table} WHERE ({key}) IN ({some})")  # noqa: S608 (names of ours)
            ((gone,),) = session.rows("SELECT changes()")
        yield PAUSE


def _tables(session: Session, prefix: str) -> list[str]:
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, ?) = ?"
    return [name for (name,) in session.rows(sql, len(prefix), prefix)]


def _is_virtual(session: Session, table: str) -> bool:
    sql = "SELECT 1 FROM sqlite_master WHERE name = ? AND sql LIKE 'CREATE VIRTUAL TABLE%'"
    return bool(session.rows(sql, table))


def _parted(name: str) -> tuple[str, int]:
    found = _LAYOUT.match(name)
    assert found is not None, name  # noqa: S101 (views are named so)
    return found[1], int(found[2])
