"""Lists in pages: rows of one table, newest first, continued by key, and led back by key.

A filter without an index looks at so many rows a page and no more, so that a page costs the same
however much is stored; it may then hold less than was asked for and still have a next one.
"""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from app.application.views import Page
from app.domain.errors import Problem, Rejected
from app.journal.rows import Row
from app.sqlite_files import to_microseconds

MOST_SCANNED = 20_000
"""Rows that a filter without an index looks at for a page: some 10 ms."""

_CURSOR = re.compile(r"(executions|log_lines|accesses)(:|>)(-?\d{1,18}):(-?\d{1,18})\Z")
_OLDER, _NEWER = ":", ">"

T = TypeVar("T")

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
        check_window(since, until)
        self._table = table
        self._columns = columns
        self._limit = limit
        self._conditions: list[str] = []
        self._values: list[object] = []
        self._scans: tuple[Scan, ...] = ()
        self._rows: list[Row] = []
        self._reached: Place | None = None
        """Behind this place nothing was looked at."""
        self._begin: Place | None = None
        """Where the page begins, but for this place itself."""
        self._back = False
        """Whether it leads back, to what is newer; rows are then read the oldest first."""
        for comparison, time in ((">=", since), ("<", until)):
            if time is not None:
                self._conditions.append(f"at {comparison} ?")
                self._values.append(to_microseconds(time))
        if cursor is not None:
            self._back, self._begin = _decode_cursor(table, cursor)
            self._conditions.append(f"(at, sequence) {'>' if self._back else '<'} (?, ?)")
            self._values += self._begin
        direction = "ASC" if self._back else "DESC"
        self._order = f"ORDER BY at {direction}, sequence {direction}"

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
            f"SELECT at, sequence, {self._columns} FROM {self._table} {where}"  # noqa: S608 (constant names; values are bound)
            f" {self._order} LIMIT ?",
            (*values, self._limit + 1),
        ).fetchall()

    def cut(self, convert: Callable[[Row], T]) -> Page[T]:
        """Return the page, newest first, with the cursors that lead on from it, and back."""
        reached = self._reached
        rows = [row for row in self._rows if reached is None or not self._behind(row[:2], reached)]
        rows.sort(key=lambda row: (row[0], row[1]), reverse=not self._back)
        page = rows[: self._limit]
        onward = page[-1][:2] if len(rows) > self._limit else reached
        items = tuple(map(convert, reversed(page) if self._back else page))
        ahead = None if onward is None else _encode_cursor(self._table, onward, back=self._back)
        behind = self._way_back(page)
        return Page(items, behind, ahead) if self._back else Page(items, ahead, behind)

    def _behind(self, place: Place, other: Place) -> bool:
        return place > other if self._back else place < other

    def _way_back(self, page: Sequence[Row]) -> str | None:
        """Lead to where the page was come to from; nowhere for the list's beginning."""
        if self._begin is None:
            return None
        if page:
            return _encode_cursor(self._table, page[0][:2], back=not self._back)
        at, sequence = self._begin  # which is part of the page before
        sequence += 1 if self._back else -1
        return _encode_cursor(self._table, (at, sequence), back=not self._back)

    def _read_scanning(
        self, connection: sqlite3.Connection, where: str, values: Sequence[object]
    ) -> None:
        looked_at = f"SELECT * FROM {self._table} {where} {self._order} LIMIT {MOST_SCANNED}"  # noqa: S608 (constant names; values are bound)
        wanted = " AND ".join(condition for condition, _ in self._scans)
        self._rows += connection.execute(
            f"SELECT at, sequence, {self._columns} FROM ({looked_at}) WHERE {wanted}"  # noqa: S608 (as above)
            f" {self._order} LIMIT ?",
            (*values, *(value for _, value in self._scans), self._limit + 1),
        ).fetchall()
        last: Place | None = connection.execute(
            f"SELECT at, sequence FROM {self._table} {where} {self._order}"  # noqa: S608 (as above)
            f" LIMIT 1 OFFSET {MOST_SCANNED - 1}",
            values,
        ).fetchone()
        if last is not None and (self._reached is None or self._behind(self._reached, last)):
            self._reached = last


def check_window(since: datetime | None, until: datetime | None) -> None:
    """Raise ``Rejected`` for a window without time in it."""
    if since is not None and until is not None and since >= until:
        problem = Problem("must be after `since`", key="until")
        raise Rejected("The window is empty.", problems=[problem])


def _encode_cursor(table: str, place: Place, *, back: bool) -> str:
    text = f"{table}{_NEWER if back else _OLDER}{place[0]}:{place[1]}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode_cursor(table: str, cursor: str) -> tuple[bool, Place]:
    """Return whether it leads back, and where it begins."""
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
    except ValueError:
        text = ""
    match = _CURSOR.match(text)
    if match is None or match[1] != table:
        raise Rejected("The cursor is not one that was returned for this list: begin anew.")
    return match[2] == _NEWER, (int(match[3]), int(match[4]))
