"""The stored tree of a database file that is only read, for verification."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from app.domain.errors import Stalled
from projections.sqlite import SQLiteSession
from projections.transparency.stored import StoredTransparencyLog
from projections.transparency.tiles import StoredTree
from projections.views import Tables

_GENERATION = "SELECT generation FROM projection_positions WHERE name = ?"


@contextlib.contextmanager
def open_stored_tree(path: Path) -> Iterator[StoredTree | None]:
    """Open the tree in use, in one snapshot; None if there is none yet.

    Raises ``Stalled`` if the file cannot be read.
    """
    name = StoredTransparencyLog.name
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(
            sqlite3.connect(address, uri=True, isolation_level=None, timeout=15)
        ) as connection:
            connection.execute("BEGIN")
            yield _tree(SQLiteSession(connection), name)
    except sqlite3.Error as error:
        raise Stalled(f"The stored tree in {path} cannot be read: {error}.") from error


def _tree(session: SQLiteSession, name: str) -> StoredTree | None:
    known = session.rows(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'projection_positions'"
    )
    generations = session.rows(_GENERATION, name) if known else []
    if not generations or not generations[0][0]:
        return None
    return StoredTree(session, Tables(name, generations[0][0]))
