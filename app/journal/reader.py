"""Queries over the journal: any filter, newest first, in pages continued by key."""

from __future__ import annotations

import base64
import contextlib
import re
import sqlite3
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from app.application.views import ExecutionQuery, ExecutionRecord, LogQuery, Page, StoredLine
from app.domain.errors import Rejected, Stalled
from app.journal.database import JOURNAL_FILE, open_for_reading
from app.journal.rows import EXECUTION_COLUMNS, LINE_COLUMNS, Row, execution_from, line_from
from app.sqlite_files import to_microseconds

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}\Z")
_CURSOR = re.compile(r"(executions|log_lines):(-?\d{1,18}):(\d{1,18})\Z")

Filters = tuple[tuple[str, object], ...]
"""Column and value, the most selective first; None matches everything."""


class Reader:
    """Answers queries, each on a connection of its own. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()

    def executions(
        self, query: ExecutionQuery, cursor: str | None, limit: int
    ) -> Page[ExecutionRecord]:
        """Return a page; raise ``Rejected`` for a bad cursor or limit."""
        request = _Request("executions", EXECUTION_COLUMNS, query.since, query.until, cursor, limit)
        by_id = query.hook is None or _ULID.match(query.hook) is not None
        filters: Filters = (
            ("invocation_id", query.invocation_id),
            ("commit_id", query.commit),
            ("hook_id", query.hook if by_id else None),
            ("trigger_id", query.trigger),
            ("kind", None if query.kind is None else query.kind.value),
        )
        with self._connection() as connection:
            if by_id:
                found = request.rows(connection, filters)
            else:
                found = request.rows_of_name(connection, filters, str(query.hook))
        rows, following = request.cut(found)
        return Page(tuple(execution_from(row[2:]) for row in rows), following)

    def lines(self, query: LogQuery, cursor: str | None, limit: int) -> Page[StoredLine]:
        """Return a page; raise ``Rejected`` for a bad cursor or limit."""
        request = _Request("log_lines", LINE_COLUMNS, query.since, query.until, cursor, limit)
        filters: Filters = (
            ("invocation_id", query.invocation_id),
            ("hook_id", query.hook),
            ("level", query.level),
        )
        with self._connection() as connection:
            found = request.rows(connection, filters)
        rows, following = request.cut(found)
        return Page(tuple(line_from(row[1], row[2:]) for row in rows), following)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._closed:
                raise Stalled(f"The journal {self._path} is closed.")
            connection = self._idle.pop() if self._idle else None
        with JOURNAL_FILE.errors_told(self._path):
            connection = connection or open_for_reading(self._path)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
        with self._lock:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)


class _Request:
    """A page of one table, but for its filters. Rows begin with their key: time and sequence."""

    def __init__(
        self,
        table: str,
        columns: str,
        since: datetime | None,
        until: datetime | None,
        cursor: str | None,
        limit: int,
    ) -> None:
        if limit < 1:
            raise Rejected(f"A page cannot have {limit} rows: ask for at least one.")
        self._table = table
        self._columns = columns
        self._limit = limit
        self._conditions: list[str] = []
        self._values: list[object] = []
        for comparison, time in ((">=", since), ("<", until)):
            if time is not None:
                self._conditions.append(f"at {comparison} ?")
                self._values.append(to_microseconds(time))
        if cursor is not None:
            self._conditions.append("(at, sequence) < (?, ?)")
            self._values += _decode_cursor(table, cursor)

    def rows(self, connection: sqlite3.Connection, filters: Filters) -> list[Row]:
        """Fetch the page and one row more."""
        given = [(column, value) for column, value in filters if value is not None]
        # A `+` hides a column from the planner, which without statistics may pick a poor index.
        conditions = [
            f"{'+' if number else ''}{column} = ?" for number, (column, _) in enumerate(given)
        ]
        conditions += self._conditions
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        return connection.execute(
            f"SELECT at, sequence, {self._columns} FROM {self._table} {where}"  # noqa: S608 (constant names; values are bound)
            " ORDER BY at DESC, sequence DESC LIMIT ?",
            (*(value for _, value in given), *self._values, self._limit + 1),
        ).fetchall()

    def rows_of_name(
        self, connection: sqlite3.Connection, filters: Filters, name: str
    ) -> list[Row]:
        """Fetch the same for a hook's name, which several hooks may have had in turn."""
        found: list[Row] = []
        for (hook_id,) in connection.execute(
            "SELECT hook_id FROM hook_names WHERE hook_name = ?", (name,)
        ).fetchall():
            of_hook = ((key, hook_id if key == "hook_id" else value) for key, value in filters)
            found += self.rows(connection, (*of_hook, ("hook_name", name)))
        found.sort(key=lambda row: (row[0], row[1]), reverse=True)
        return found[: self._limit + 1]

    def cut(self, rows: list[Row]) -> tuple[list[Row], str | None]:
        """Return the page, and the cursor that continues it if there is more."""
        page = rows[: self._limit]
        if len(rows) <= self._limit:
            return page, None
        return page, _encode_cursor(self._table, *page[-1][:2])


def _encode_cursor(table: str, at: int, sequence: int) -> str:
    return base64.urlsafe_b64encode(f"{table}:{at}:{sequence}".encode()).decode().rstrip("=")


def _decode_cursor(table: str, cursor: str) -> tuple[int, int]:
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
    except ValueError:
        text = ""
    match = _CURSOR.match(text)
    if match is None or match[1] != table:
        raise Rejected("The cursor is not one that was returned for this list: begin anew.")
    return int(match[2]), int(match[3])
