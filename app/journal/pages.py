"""Lists in pages: rows of one table, newest first, continued by key.

A filter without an index looks at so many rows a page and no more, so that a page costs the same
however much is stored; it may then hold less than was asked for and still have a next one.
"""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from app.domain.errors import Rejected
from app.journal.rows import Row
from app.sqlite_files import to_microseconds

MOST_SCANNED = 20_000
"""Rows that a filter without an index looks at for a page: some 10 ms."""

_CURSOR = re.compile(r"(executions|log_lines|accesses):(-?\d{1,18}):(\d{1,18})\Z")

Filters = tuple[tuple[str, object], ...]
"""Column and value, the most selective first; None matches everything."""

Scan = tuple[str, object]
"""A condition with one place for its value, for which there is no index."""

Place = tuple[int, int]
"""Time and number of a row, by which lists are ordered."""


class PageOf:
    """A page of one table, but for its filters. Rows begin with their place."""

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
        self._scans: tuple[Scan, ...] = ()
        self._rows: list[Row] = []
        self._reached: Place | None = None
        """Behind this place nothing was looked at."""
        for comparison, time in ((">=", since), ("<", until)):
            if time is not None:
                self._conditions.append(f"at {comparison} ?")
                self._values.append(to_microseconds(time))
        if cursor is not None:
            self._conditions.append("(at, sequence) < (?, ?)")
            self._values += _decode_cursor(table, cursor)

    def only(self, condition: str) -> None:
        """Add a condition without values, such as one that a partial index has."""
        self._conditions.append(condition)

    def scan(self, *scans: Scan) -> None:
        """Add conditions that need a look at the rows."""
        self._scans = scans

    def read(self, connection: sqlite3.Connection, filters: Filters) -> None:
        """Fetch the page and one row more; may be called again with other filters."""
        given = [(column, value) for column, value in filters if value is not None]
        # A `+` hides a column from the planner, which without statistics may pick a poor index.
        conditions = [
            f"{'+' if number else ''}{column} = ?" for number, (column, _) in enumerate(given)
        ]
        conditions += self._conditions
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        values = [*(value for _, value in given), *self._values]
        if self._scans:
            self._read_scanning(connection, where, values)
            return
        self._rows += connection.execute(
            f"SELECT at, sequence, {self._columns} FROM {self._table} {where} {_ORDER} LIMIT ?",  # noqa: S608 (constant names; values are bound)
            (*values, self._limit + 1),
        ).fetchall()

    def cut(self) -> tuple[Sequence[Row], str | None]:
        """Return the page, and the cursor that continues it if there is more."""
        reached = self._reached
        rows = [row for row in self._rows if reached is None or (row[0], row[1]) >= reached]
        rows.sort(key=lambda row: (row[0], row[1]), reverse=True)
        page = rows[: self._limit]
        if len(rows) > self._limit:
            return page, _encode_cursor(self._table, *page[-1][:2])
        return page, None if reached is None else _encode_cursor(self._table, *reached)

    def _read_scanning(
        self, connection: sqlite3.Connection, where: str, values: Sequence[object]
    ) -> None:
        looked_at = f"SELECT * FROM {self._table} {where} {_ORDER} LIMIT {MOST_SCANNED}"  # noqa: S608 (constant names; values are bound)
        wanted = " AND ".join(condition for condition, _ in self._scans)
        self._rows += connection.execute(
            f"SELECT at, sequence, {self._columns} FROM ({looked_at}) WHERE {wanted}"  # noqa: S608 (as above)
            f" {_ORDER} LIMIT ?",
            (*values, *(value for _, value in self._scans), self._limit + 1),
        ).fetchall()
        last: Place | None = connection.execute(
            f"SELECT at, sequence FROM {self._table} {where} {_ORDER}"  # noqa: S608 (as above)
            f" LIMIT 1 OFFSET {MOST_SCANNED - 1}",
            values,
        ).fetchone()
        if last is not None:
            self._reached = last if self._reached is None else max(last, self._reached)


_ORDER = "ORDER BY at DESC, sequence DESC"


def _encode_cursor(table: str, at: int, sequence: int) -> str:
    return base64.urlsafe_b64encode(f"{table}:{at}:{sequence}".encode()).decode().rstrip("=")


def _decode_cursor(table: str, cursor: str) -> Place:
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
    except ValueError:
        text = ""
    match = _CURSOR.match(text)
    if match is None or match[1] != table:
        raise Rejected("The cursor is not one that was returned for this list: begin anew.")
    return int(match[2]), int(match[3])
