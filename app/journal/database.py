"""The journal's SQLite file: its tables, how it is opened, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.domain.errors import Stalled, Transient

_SCHEMA_VERSION = 1
# Every filter has an index that also gives the order (time, then rowid), so that a page costs the
# same whatever is asked and however much is stored. Names of hooks have a table instead: one more
# index would cost a quarter of the writing speed.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS executions (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    invocation_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    trigger_id TEXT NOT NULL,
    hook_id TEXT,
    hook_name TEXT,
    commit_id TEXT,
    position INTEGER NOT NULL,
    caller TEXT NOT NULL,
    kind TEXT NOT NULL,
    error TEXT,
    queued_ms REAL NOT NULL,
    ran_ms REAL NOT NULL,
    total_ms REAL NOT NULL,
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS executions_by_time ON executions (at);
CREATE INDEX IF NOT EXISTS executions_by_invocation ON executions (invocation_id, at);
CREATE INDEX IF NOT EXISTS executions_by_trigger ON executions (trigger_id, at);
CREATE INDEX IF NOT EXISTS executions_by_hook ON executions (hook_id, at);
CREATE INDEX IF NOT EXISTS executions_by_commit ON executions (commit_id, at);
CREATE INDEX IF NOT EXISTS executions_by_kind ON executions (kind, at);
CREATE TABLE IF NOT EXISTS hook_names (
    hook_name TEXT NOT NULL,
    hook_id TEXT NOT NULL,
    PRIMARY KEY (hook_name, hook_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_lines (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    invocation_id TEXT,
    hook_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    stream TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS log_lines_by_time ON log_lines (at);
CREATE INDEX IF NOT EXISTS log_lines_by_invocation ON log_lines (invocation_id, at);
CREATE INDEX IF NOT EXISTS log_lines_by_hook ON log_lines (hook_id, at);
CREATE INDEX IF NOT EXISTS log_lines_by_level ON log_lines (level, at);
"""
_BUSY_SECONDS = 10.0
_WAL_ATTEMPTS = 100
_WAL_LIMIT_BYTES = 64 << 20
_CACHE_KIB = 32 << 10
_CHECKPOINT_PAGES = 8192
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the journal, making file (mode 0600) and tables if needed.

    Synchronous NORMAL: a crash of the process loses nothing committed, a power cut at most the
    last commits, and the file stays whole. Raises ``Stalled`` when the file is unusable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite gives the log files the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Stalled(f"The journal {path} cannot be opened: {error.strerror}.") from error
    with translated(path):
        connection = _connect(path)
        try:
            # Only has an effect before the first table exists; lets pruning shrink the file.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            _switch_to_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
            # The indexes' ends stay in memory between batches, and a page that every batch
            # changes is copied into the database every 32 MiB, not every 4.
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            _prepare_schema(path, connection)
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write, to be used by one thread at a time."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ``Transient`` (locked) or ``Stalled`` (everything else)."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Transient(f"The journal {path} is locked: {error}.") from error
        raise Stalled(f"The journal {path} cannot be used: {error}.") from error


def to_microseconds(time: datetime) -> int:
    """Count microseconds since 1970; ``time`` must be aware."""
    passed = time - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def from_microseconds(count: int) -> datetime:
    """Undo ``to_microseconds``."""
    return _EPOCH + timedelta(microseconds=count)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


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
            f"The journal {path} has format {version}, this server knows {_SCHEMA_VERSION}."
            " Use the newer server that wrote it, or move the file away to begin a new journal."
        )
    connection.executescript(
        f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;"
    )
