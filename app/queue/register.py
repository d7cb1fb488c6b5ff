"""Reading the queue: counts for metrics, and the list of dead letters."""

from __future__ import annotations

import base64
import re
import sqlite3
import threading
from pathlib import Path
from typing import Any

from app.application.views import Page
from app.domain.errors import Rejected, Stalled
from app.queue.database import QUEUE_FILE, open_database
from app.queue.records import DeadLetter, Depth
from app.sqlite_files import from_microseconds

_CURSOR = re.compile(r"dead:(-?\d{1,18}):(\d{1,18})\Z")


class Register:
    """A connection that only reads. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._closed = False
        self._connection = open_database(path)
        self._connection.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def depth(self, now: int) -> Depth:
        """Count the deliveries; ``now`` is in microseconds."""
        ((waiting, running, dead),) = self._select(
            "SELECT"
            " (SELECT count(*) FROM deliveries"
            "   WHERE died_at IS NULL AND NOT (owner IS NOT NULL AND due_at > :now)),"
            " (SELECT count(*) FROM deliveries"
            "   WHERE died_at IS NULL AND owner IS NOT NULL AND due_at > :now),"
            " (SELECT count(*) FROM deliveries WHERE died_at IS NOT NULL)",
            {"now": now},
        )
        return Depth(waiting, running, dead)

    def dead_letters(self, cursor: str | None, limit: int) -> Page[DeadLetter]:
        """Return a page, newest first; raise ``Rejected`` for a bad cursor or limit."""
        if limit < 1:
            raise Rejected(f"A page cannot have {limit} rows: ask for at least one.")
        condition, values = "", {"rows": limit + 1}
        if cursor is not None:
            values["at"], values["sequence"] = _decode_cursor(cursor)
            condition = "AND (died_at, sequence) < (:at, :sequence)"
        rows = self._select(
            "SELECT invocation_id, trigger_id, caller, accepted_at, died_at, attempts, error,"  # noqa: S608 (constant clauses)
            f" sequence FROM deliveries WHERE died_at IS NOT NULL {condition}"
            " ORDER BY died_at DESC, sequence DESC LIMIT :rows",
            values,
        )
        page = rows[:limit]
        following = None if len(rows) == len(page) else _encode_cursor(page[-1][4], page[-1][7])
        return Page(tuple(_dead_letter(row) for row in page), following)

    def _select(self, statement: str, values: dict[str, int]) -> list[tuple[Any, ...]]:
        with self._lock:
            if self._closed:
                raise Stalled(f"The queue {self._path} is closed.")
            try:
                return self._connection.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise QUEUE_FILE.told(self._path, error) from error


def _dead_letter(row: tuple[Any, ...]) -> DeadLetter:
    invocation_id, trigger, caller, accepted, died, attempts, error, _ = row
    return DeadLetter(
        invocation_id,
        trigger,
        caller,
        from_microseconds(accepted),
        from_microseconds(died),
        attempts,
        error,
    )


def _encode_cursor(died_at: int, sequence: int) -> str:
    return base64.urlsafe_b64encode(f"dead:{died_at}:{sequence}".encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> tuple[int, int]:
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
    except ValueError:
        text = ""
    match = _CURSOR.match(text)
    if match is None:
        raise Rejected("The cursor is not one that was returned for this list: begin anew.")
    return int(match[1]), int(match[2])
