"""Statuses that a forge has yet to be told: stored before they are sent, and until they are.

What is recorded of the ledger and how far it was read are one transaction, so that a crash neither
loses a status nor records it twice. A newer status of a commit takes the place of one that waits.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from app.application.ports import Clock
from app.application.syncing.commit_statuses import CommitState, CommitStatus
from app.domain.revisions import Position
from app.sqlite_files import Format, to_microseconds

REMEMBERED = timedelta(days=30)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS statuses (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    sha TEXT NOT NULL,
    state TEXT NOT NULL,
    description TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    recorded_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    settled_at INTEGER
);
CREATE INDEX IF NOT EXISTS statuses_of_commit ON statuses (source, sha);
CREATE INDEX IF NOT EXISTS statuses_due ON statuses (due_at) WHERE settled_at IS NULL;
CREATE TABLE IF NOT EXISTS progress (source TEXT PRIMARY KEY, position INTEGER NOT NULL);
"""
_FILE = Format("The outbox of commit statuses", _SCHEMA)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A status that is due."""

    id: int
    status: CommitStatus
    attempts: int
    """How often it was tried before."""


class Outbox:
    """The outbox of all sources. Safe for many threads and many processes."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open the file; raise ``Stalled`` if it is unusable."""
        self._path = path
        self._clock = clock
        self._lock = threading.RLock()
        self._connection = _FILE.open(path, pragmas=("PRAGMA synchronous = FULL",))

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def position(self, source: str) -> Position | None:
        """Return how far the ledger was read for ``source``; None if never."""
        with self._lock, _FILE.errors_told(self._path):
            row = self._connection.execute(
                "SELECT position FROM progress WHERE source = ?", (source,)
            ).fetchone()
        return Position(row[0]) if row else None

    def record(self, source: str, statuses: list[CommitStatus], position: Position | None) -> None:
        """Store what is new, and how far the ledger was read (None: what was seen beside it)."""
        with self._writing():
            for status in statuses:
                self._add(source, status)
            if position is not None:
                self._connection.execute(
                    "INSERT INTO progress VALUES (?, ?) ON CONFLICT (source)"
                    " DO UPDATE SET position = max(position, excluded.position)",
                    (source, position),
                )
            forgotten = self._now() - REMEMBERED // timedelta(microseconds=1)
            self._connection.execute("DELETE FROM statuses WHERE settled_at < ?", (forgotten,))

    def knows(self, source: str, sha: str) -> CommitState | None:
        """Return the newest state recorded of a commit."""
        with self._lock, _FILE.errors_told(self._path):
            row = self._newest(source, sha)
        return CommitState(row[0]) if row else None

    def due(self, source: str, limit: int) -> list[Waiting]:
        """Return what should be sent now, the oldest first."""
        with self._lock, _FILE.errors_told(self._path):
            rows = self._connection.execute(
                "SELECT id, sha, state, description, attempts FROM statuses"
                " WHERE source = ? AND settled_at IS NULL AND due_at <= ? ORDER BY id LIMIT ?",
                (source, self._now(), limit),
            ).fetchall()
        return [
            Waiting(number, CommitStatus(sha, CommitState(state), description), attempts)
            for number, sha, state, description, attempts in rows
        ]

    def waiting(self) -> int:
        """Count what has not been sent yet."""
        with self._lock, _FILE.errors_told(self._path):
            row = self._connection.execute(
                "SELECT count(*) FROM statuses WHERE settled_at IS NULL"
            ).fetchone()
        return int(row[0])

    def settle(self, waiting: Waiting) -> None:
        """Note that it was sent, or given up."""
        with self._writing():
            self._connection.execute(
                "UPDATE statuses SET settled_at = ? WHERE id = ?", (self._now(), waiting.id)
            )

    def postpone(self, waiting: Waiting, until: datetime) -> None:
        """Have it tried again later."""
        with self._writing():
            self._connection.execute(
                "UPDATE statuses SET attempts = attempts + 1, due_at = ? WHERE id = ?",
                (to_microseconds(until), waiting.id),
            )

    def _add(self, source: str, status: CommitStatus) -> None:
        newest = self._newest(source, status.sha)
        if newest == (str(status.state), status.description):
            return
        now = self._now()
        self._connection.execute(
            "UPDATE statuses SET settled_at = ?"
            " WHERE source = ? AND sha = ? AND settled_at IS NULL",
            (now, source, status.sha),
        )
        self._connection.execute(
            "INSERT INTO statuses (source, sha, state, description, recorded_at, due_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (source, status.sha, str(status.state), status.description, now, now),
        )

    def _newest(self, source: str, sha: str) -> tuple[str, str] | None:
        row: tuple[str, str] | None = self._connection.execute(
            "SELECT state, description FROM statuses WHERE source = ? AND sha = ?"
            " ORDER BY id DESC LIMIT 1",
            (source, sha),
        ).fetchone()
        return row

    def _now(self) -> int:
        return to_microseconds(self._clock())

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, _FILE.errors_told(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
