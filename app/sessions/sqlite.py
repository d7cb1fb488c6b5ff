"""The sessions' SQLite file; safe for many threads (one at a time) and many processes."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from app.domain.callers.people import Person, Session
from app.sqlite_files import Format, from_microseconds, to_microseconds

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    token_hash TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    person TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    agent TEXT NOT NULL,
    address TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tickets (
    kind TEXT NOT NULL,
    ticket_hash TEXT NOT NULL,
    content BLOB NOT NULL,
    ends_at INTEGER NOT NULL,
    PRIMARY KEY (kind, ticket_hash)
) WITHOUT ROWID;
"""
_FILE = Format("The file of sessions", _SCHEMA, way_out=", or delete it: everybody signs in again")
_COLUMNS = "id, person, began_at, seen_at, ends_at, agent, address"


class SqliteSessions:
    """Implements ``SessionStore``."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it with mode 0600; raise ``Stalled`` if it is not ours."""
        self._path = path
        self._lock = threading.Lock()
        self._connection = _FILE.open(path)

    def close(self) -> None:
        """Close the file; the object is useless afterwards."""
        with self._lock:
            self._connection.close()

    def begin(self, token_hash: str, session: Session) -> None:
        """Store a new session."""
        with self._using() as connection:
            connection.execute(
                f"INSERT INTO sessions (token_hash, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 (constant columns)
                (
                    token_hash,
                    session.id,
                    msgspec.json.encode(session.person).decode(),
                    to_microseconds(session.began_at),
                    to_microseconds(session.seen_at),
                    to_microseconds(session.ends_at),
                    session.agent,
                    session.address,
                ),
            )

    def find(self, token_hash: str) -> Session | None:
        """Look a session up."""
        with self._using() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM sessions WHERE token_hash = ?",  # noqa: S608 (constant columns)
                (token_hash,),
            ).fetchone()
        return _session(row) if row is not None else None

    def touch(self, session_id: str, seen_at: datetime) -> None:
        """Note that a session is being used."""
        with self._using() as connection:
            connection.execute(
                "UPDATE sessions SET seen_at = max(seen_at, ?) WHERE id = ?",
                (to_microseconds(seen_at), session_id),
            )

    def end(self, session_id: str) -> bool:
        """Forget a session; tell whether there was one."""
        with self._using() as connection:
            ended = connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,))
            return ended.rowcount > 0

    def list(self) -> Sequence[Session]:
        """Return every session, the one used last first."""
        with self._using() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM sessions ORDER BY seen_at DESC, id DESC"  # noqa: S608 (constant columns)
            ).fetchall()
        return [_session(row) for row in rows]

    def sweep(self, now: datetime, idle_since: datetime) -> None:
        """Forget what has run out."""
        with self._using() as connection:
            connection.execute(
                "DELETE FROM sessions WHERE ends_at <= ? OR seen_at <= ?",
                (to_microseconds(now), to_microseconds(idle_since)),
            )
            connection.execute("DELETE FROM tickets WHERE ends_at <= ?", (to_microseconds(now),))

    def offer(self, kind: str, ticket_hash: str, content: bytes, ends_at: datetime) -> None:
        """Store what may be taken once."""
        with self._using() as connection:
            connection.execute(
                "INSERT INTO tickets (kind, ticket_hash, content, ends_at) VALUES (?, ?, ?, ?)",
                (kind, ticket_hash, content, to_microseconds(ends_at)),
            )

    def take(self, kind: str, ticket_hash: str, now: datetime) -> bytes | None:
        """Return what was offered, to the first who asks in time."""
        with self._using() as connection:
            row = connection.execute(
                "DELETE FROM tickets WHERE kind = ? AND ticket_hash = ? RETURNING content, ends_at",
                (kind, ticket_hash),
            ).fetchone()
        return row[0] if row is not None and row[1] > to_microseconds(now) else None

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _FILE.errors_told(self._path):
            yield self._connection


def _session(row: tuple[str, str, int, int, int, str, str]) -> Session:
    session_id, person, began_at, seen_at, ends_at, agent, address = row
    return Session(
        id=session_id,
        person=msgspec.json.decode(person, type=Person),
        began_at=from_microseconds(began_at),
        seen_at=from_microseconds(seen_at),
        ends_at=from_microseconds(ends_at),
        agent=agent,
        address=address,
    )
