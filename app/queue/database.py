"""The queue's SQLite file: its tables, how it is opened, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.domain.errors import HookledgerError, Stalled, Transient

_SCHEMA_VERSION = 1
# `due_at` is also the lease: taking a delivery moves it past the lease's end, so that one whose
# consumer died becomes due by itself. `finished` remembers ids for a while, so that a delivery
# that is enqueued again after it was done is not run again.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    invocation_id TEXT NOT NULL UNIQUE,
    trigger_id TEXT NOT NULL,
    caller TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    owner TEXT,
    died_at INTEGER,
    error TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at) WHERE died_at IS NULL;
CREATE INDEX IF NOT EXISTS deliveries_leased ON deliveries (owner) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS deliveries_dead ON deliveries (died_at) WHERE died_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS finished (
    invocation_id TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS finished_by_time ON finished (at);
"""
_BUSY_SECONDS = 10.0
_WAL_ATTEMPTS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def open_database(path: Path) -> sqlite3.Connection:
    """Open the queue, making file (mode 0600) and tables if needed.

    WAL with synchronous FULL: what was committed survives a power cut. Raises ``Stalled`` when the
    file is unusable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite gives the log files the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Stalled(f"The queue {path} cannot be opened: {error.strerror}.") from error
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        _prepare_schema(path, connection)
    except sqlite3.Error as error:
        connection.close()
        raise translated(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def translated(path: Path, error: sqlite3.Error) -> HookledgerError:
    """Turn SQLite's errors into ``Transient`` (locked, disk full) or ``Stalled`` (all else)."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL):
        return Transient(f"The queue {path} cannot be written now: {error}.")
    return Stalled(f"The queue {path} cannot be used: {error}.")


def to_microseconds(time: datetime) -> int:
    """Count microseconds since 1970; ``time`` must be aware."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(count: int) -> datetime:
    """Undo ``to_microseconds``."""
    return _EPOCH + timedelta(microseconds=count)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait for its lock here when several processes open a new file at once.
    pause = threading.Event()
    for attempt in range(1, _WAL_ATTEMPTS + 1):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or attempt == _WAL_ATTEMPTS:
                raise
            pause.wait(_BUSY_SECONDS / _WAL_ATTEMPTS)
        else:
            return


def _prepare_schema(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, _SCHEMA_VERSION):
        raise Stalled(
            f"The queue {path} has format {version}, this server knows {_SCHEMA_VERSION}."
            " Use the newer server that wrote it."
        )
    connection.executescript(
        f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;"
    )
