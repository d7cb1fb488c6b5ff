"""The queue's SQLite file: its tables, and how durable they are."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from app.sqlite_files import Format

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

QUEUE_FILE = Format("The queue", _SCHEMA)


def open_database(path: Path) -> sqlite3.Connection:
    """Open the queue, making it if needed; what was committed survives a power cut."""
    return QUEUE_FILE.open(path, pragmas=("PRAGMA synchronous = FULL",))
