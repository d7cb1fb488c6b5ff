"""Forgetting: what is too old or too much goes, the oldest first, a little at a time."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.sqlite_files import to_microseconds

_ROWS = 500
_PAGES = 500
_TABLES = ("executions", "log_lines", "recordings", "tallies")
_MOST_ACCESSES = 1_000_000
"""Rows, some 200 MB: what a flood of ever new callers could add in half a year."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how much the journal keeps."""

    age: timedelta = timedelta(days=30)
    """Long enough to look into last month's incident, short enough for most privacy rules."""
    max_bytes: int = 2 << 30
    """Of the file; about 4 million executions without log lines. At least 1 MiB."""
    access_age: timedelta = timedelta(days=400)
    """Of accesses: a year, and time to ask what happened in it. They do not make way for records;
    beyond a million rows the oldest go."""

    def __post_init__(self) -> None:
        if min(self.age, self.access_age) <= timedelta() or self.max_bytes < 1 << 20:
            raise ValueError("retention: ages must be positive and the size at least 1 MiB")


def prune_aged(connection: sqlite3.Connection, retention: Retention, now: datetime) -> bool:
    """Delete up to 500 rows a table that are too old; True if there may be more."""
    before = to_microseconds(now - retention.age)
    deleted = [_delete_oldest(connection, table, before) for table in _TABLES]
    deleted.append(
        _delete_oldest(connection, "accesses", to_microseconds(now - retention.access_age))
    )
    deleted.append(_delete_excess_accesses(connection))
    _shrink(connection, sum(deleted))
    return max(deleted) == _ROWS


def prune_excess(connection: sqlite3.Connection, retention: Retention) -> bool:
    """Delete the 500 oldest rows if the file is too large; True if there may be more."""
    if _live_bytes(connection) <= retention.max_bytes:
        return False
    oldest = {table: _oldest(connection, table) for table in _TABLES}
    found = {table: at for table, at in oldest.items() if at is not None}
    if not found:
        return False
    table = min(found, key=lambda name: found[name])
    _shrink(connection, _delete_oldest(connection, table, None))
    return True


def _delete_oldest(connection: sqlite3.Connection, table: str, before: int | None) -> int:
    condition = "" if before is None else "WHERE at < :before"
    return connection.execute(
        f"DELETE FROM {table} WHERE sequence IN"  # noqa: S608 (constant names)
        f" (SELECT sequence FROM {table} {condition} ORDER BY at LIMIT :rows)",
        {"before": before, "rows": _ROWS},
    ).rowcount


def _delete_excess_accesses(connection: sqlite3.Connection) -> int:
    """Delete what is beyond the million; the numbers of rows have few gaps, so they count them."""
    return connection.execute(
        "DELETE FROM accesses WHERE sequence IN (SELECT sequence FROM accesses"
        " WHERE sequence <= (SELECT max(sequence) - :most FROM accesses)"
        " ORDER BY sequence LIMIT :rows)",
        {"most": _MOST_ACCESSES, "rows": _ROWS},
    ).rowcount


def _oldest(connection: sqlite3.Connection, table: str) -> int | None:
    (at,) = connection.execute(f"SELECT min(at) FROM {table}").fetchone()  # noqa: S608 (constant names)
    return None if at is None else int(at)


def _live_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _shrink(connection: sqlite3.Connection, deleted: int) -> None:
    if deleted:
        # Not `execute`, which stops at the first page: SQLite reports it as a row of no columns.
        connection.executescript(f"PRAGMA incremental_vacuum({_PAGES})")
