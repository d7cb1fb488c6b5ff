"""The journal's SQLite file: its tables, and how it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from app.sqlite_files import Format

# Every filter has an index that also gives the order (time, then rowid), so that a page costs the
# same whatever is asked and however much is stored. Two exceptions, for the speed of writing: names
# of hooks have a table instead, and of outcomes only those are in an index that are no success.
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
    response_bytes INTEGER NOT NULL,
    error_class TEXT
);
CREATE INDEX IF NOT EXISTS executions_by_time ON executions (at);
CREATE INDEX IF NOT EXISTS executions_by_invocation ON executions (invocation_id, at);
CREATE INDEX IF NOT EXISTS executions_by_trigger ON executions (trigger_id, at);
CREATE INDEX IF NOT EXISTS executions_by_hook ON executions (hook_id, at);
CREATE INDEX IF NOT EXISTS executions_by_commit ON executions (commit_id, at);
CREATE INDEX IF NOT EXISTS executions_by_caller ON executions (caller, at);
DROP INDEX IF EXISTS executions_by_kind;
CREATE INDEX IF NOT EXISTS executions_unsuccessful ON executions (at) WHERE kind <> 'succeeded';
CREATE INDEX IF NOT EXISTS executions_by_failure ON executions (kind, at)
    WHERE kind <> 'succeeded';
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
CREATE TABLE IF NOT EXISTS recordings (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    invocation_id TEXT NOT NULL,
    hook_id TEXT,
    at INTEGER NOT NULL,
    protected BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS recordings_by_time ON recordings (at);
CREATE INDEX IF NOT EXISTS recordings_by_invocation ON recordings (invocation_id);
CREATE TABLE IF NOT EXISTS tallies (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    width INTEGER NOT NULL,
    at INTEGER NOT NULL,
    trigger_id TEXT NOT NULL,
    hook_id TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    hook_name TEXT NOT NULL,
    counts BLOB NOT NULL,
    UNIQUE (width, at, trigger_id, hook_id, commit_id)
);
CREATE INDEX IF NOT EXISTS tallies_by_time ON tallies (at);
CREATE TABLE IF NOT EXISTS accesses (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    client TEXT NOT NULL,
    address TEXT NOT NULL,
    route TEXT NOT NULL,
    reason TEXT NOT NULL,
    subject TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    UNIQUE (at, kind, client, address, route, reason, subject)
);
CREATE INDEX IF NOT EXISTS accesses_by_kind ON accesses (kind, at);
CREATE INDEX IF NOT EXISTS accesses_by_client ON accesses (client, at);
CREATE INDEX IF NOT EXISTS accesses_by_address ON accesses (address, at);
CREATE TABLE IF NOT EXISTS open_writer (
    window_ms INTEGER NOT NULL
);
"""
_WAL_LIMIT_BYTES = 64 << 20
_CACHE_KIB = 32 << 10
_CHECKPOINT_PAGES = 8192

JOURNAL_FILE = Format(
    "The journal", _SCHEMA, way_out=", or move the file away to begin a new journal"
)


LOWERED = "lowered"
"""SQL function: a text in lower case, of every script."""


def _lowered(text: str | None) -> str | None:
    return None if text is None else text.lower()


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the journal, making it if needed.

    Synchronous NORMAL: a crash of the process loses nothing committed, a power cut at most the
    last commits, and the file stays whole.
    """
    connection = JOURNAL_FILE.open(
        path,
        # Only has an effect before the first table exists; lets pruning shrink the file.
        before_tables=("PRAGMA auto_vacuum = INCREMENTAL",),
        pragmas=(
            "PRAGMA synchronous = NORMAL",
            # What undoes a statement: in a file, it is a fifth of the writing time.
            "PRAGMA temp_store = MEMORY",
            f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}",
            # The indexes' ends stay in memory between batches, and a page that every batch
            # changes is copied into the database every 32 MiB, not every 4.
            f"PRAGMA cache_size = -{_CACHE_KIB}",
            f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        ),
    )
    with JOURNAL_FILE.errors_told(path):
        columns = {row[1] for row in connection.execute("PRAGMA table_info(executions)")}
        if "error_class" not in columns:  # a file of the first servers
            connection.execute("ALTER TABLE executions ADD COLUMN error_class TEXT")
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write, to be used by one thread at a time."""
    connection = JOURNAL_FILE.connect(path)
    connection.execute("PRAGMA query_only = ON")
    connection.create_function(LOWERED, 1, _lowered, deterministic=True)
    return connection
