"""Stored events as rows of bytes, past mapper and recorder, from a file that is only read.

For those who do not take the server's word: verification of the history, and evidence. Works
beside a running server, and when none runs.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eventsourcing.persistence import Notification

from app.application.history.transparency_ports import StoredBytes
from app.domain.errors import NotFound, Stalled
from app.domain.revisions import Position

Row = tuple[Any, ...]

BLOCK = 256
# SQLite keeps any type in any column; text counts as its bytes, here and in the projections.
_SELECT = (
    "SELECT rowid, originator_id, originator_version, topic, CAST(state AS BLOB) FROM stored_events"
)
_TRIGGERS = ("at_end", "no_delete", "no_replace", "no_update")


class RawEvents:
    """The events of one file; each method opens it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()

    def count(self) -> int:
        """Return about how many events there are, for a progress bar."""
        with self._opened() as file:
            return int(file.execute("SELECT max(rowid) FROM stored_events").fetchone()[0] or 0)

    def blocks(self) -> Iterator[list[Row]]:
        """Return all events in the order of positions, 256 at a time, from one snapshot.

        Raises ``Stalled`` if the file cannot be read.
        """
        with self._opened() as file:
            cursor = file.execute(f"{_SELECT} ORDER BY rowid")
            while block := cursor.fetchmany(BLOCK):
                yield block

    def select_notifications(
        self, start: int | None, limit: int, *, inclusive_of_start: bool = True
    ) -> list[Notification]:
        """Return up to ``limit`` events from a position on, as the library's recorder does.

        Raises ``Stalled`` if the file cannot be read.
        """
        first = (start or 0) + (0 if inclusive_of_start else 1)
        with self._opened() as file:
            found = f"{_SELECT} WHERE rowid >= ? ORDER BY rowid LIMIT ?"
            return [
                Notification(stream, version, topic, state, position)
                for position, stream, version, topic, state in file.execute(found, (first, limit))
            ]

    def max_notification_id(self) -> int:
        """Return the newest position; 0 for an empty store."""
        return self.count()

    def at(self, positions: Sequence[Position]) -> list[StoredBytes]:
        """Return the events at these positions, in this order; raise ``NotFound``."""
        with self._opened() as file:
            found = []
            for position in positions:
                row = file.execute(f"{_SELECT} WHERE rowid = ?", (position,)).fetchone()
                if row is None:
                    raise NotFound(f"There is no event at position {position}.")
                found.append(StoredBytes(*row))
            return found

    def missing_guards(self) -> tuple[str, ...]:
        """Return the names of the triggers that keep the table append-only and are not there."""
        with self._opened() as file:
            rows = file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            present = {name for (name,) in rows}
        wanted = (f"stored_events_{name}" for name in _TRIGGERS)
        return tuple(name for name in wanted if name not in present)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        if not self._path.exists():
            raise Stalled(f"There is no event store {self._path}.")
        try:
            with contextlib.closing(_read_only(self._path)) as file:
                yield file
        except sqlite3.Error as error:
            raise Stalled(f"The event store {self._path} cannot be read: {error}.") from error


def _read_only(path: Path) -> sqlite3.Connection:
    """Open a database in a way that cannot change it; raises ``sqlite3.Error``."""
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=15)
