"""Queries over the journal: any filter, newest first, in pages continued by key."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import orjson

from app.application.journal_views import (
    Access,
    AccessQuery,
    AccessRecord,
    ExecutionQuery,
    ExecutionRecord,
    LogQuery,
    Recording,
    Stats,
    StatsQuery,
    StoredExecution,
    StoredLine,
)
from app.application.ports import Vault
from app.application.views import Page
from app.domain.errors import Stalled
from app.domain.outcomes import OutcomeKind
from app.journal.commits import commits_of
from app.journal.database import JOURNAL_FILE, LOWERED, open_for_reading
from app.journal.pages import Filters, PageOf, Scan
from app.journal.rows import EXECUTION_COLUMNS, LINE_COLUMNS, execution_from, line_from
from app.journal.stats import read_stats
from app.journal.store import read_content
from app.sqlite_files import from_microseconds

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}\Z")
_ACCESS_COLUMNS = "kind, client, address, route, reason, subject, count, first_at, last_at"
_UNSUCCESSFUL = "kind <> 'succeeded'"
"""The condition of the partial indexes, in their words: only so are they used."""


class Reader:
    """Answers queries, each on a connection of its own. Thread-safe."""

    def __init__(self, path: Path, vault: Vault | None = None) -> None:
        """Without ``vault``, recorded content cannot be read."""
        self._path = path
        self._vault = vault
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
        page = PageOf("executions", EXECUTION_COLUMNS, query.since, query.until, cursor, limit)
        scans: list[Scan] = []
        if query.kind is OutcomeKind.SUCCEEDED:
            scans.append(("kind = ?", query.kind.value))
        elif query.kind is not None or query.text is not None or query.unsuccessful:
            page.only(_UNSUCCESSFUL)
        if query.min_ms is not None:
            scans.append(("total_ms >= ?", query.min_ms))
        if query.text is not None:
            scans.append(_has("error", query.text))
        page.scan(*scans)
        failure = None if query.kind in (None, OutcomeKind.SUCCEEDED) else query.kind.value
        others = (("caller", query.caller), ("trigger_id", query.trigger), ("kind", failure))
        with self._connection() as connection:
            commits = [None] if query.commit is None else commits_of(connection, query.commit)
            for commit, hook in product(commits, _hooks_meant(connection, query.hook)):
                run = (("invocation_id", query.invocation_id), ("commit_id", commit))
                page.read(connection, (*run, *hook, *others))
        return page.cut(lambda row: execution_from(row[2:]))

    def lines(self, query: LogQuery, cursor: str | None, limit: int) -> Page[StoredLine]:
        """Return a page; raise ``Rejected`` for a bad cursor or limit."""
        page = PageOf("log_lines", LINE_COLUMNS, query.since, query.until, cursor, limit)
        scans: list[Scan] = []
        if query.hooks is not None:
            wanted = orjson.dumps(query.hooks).decode()
            scans.append(("hook_id IN (SELECT value FROM json_each(?))", wanted))
        if query.text is not None:
            scans.append(_has("text", query.text))
        page.scan(*scans)
        with self._connection() as connection:
            page.read(
                connection,
                (
                    ("invocation_id", query.invocation_id),
                    ("hook_id", query.hook),
                    ("level", query.level),
                ),
            )
        return page.cut(lambda row: line_from(row[1], row[2:]))

    def lines_after(self, sequence: int, limit: int) -> Sequence[StoredLine]:
        """Return the lines that were stored next after one, in their order."""
        with self._connection() as connection:
            rows = connection.execute(
                f"SELECT sequence, {LINE_COLUMNS} FROM log_lines WHERE sequence > ?"  # noqa: S608 (constant names)
                " ORDER BY sequence LIMIT ?",
                (sequence, limit),
            ).fetchall()
        return [line_from(row[0], row[1:]) for row in rows]

    def executions_after(self, sequence: int, limit: int) -> Sequence[StoredExecution]:
        """Return the records that were stored next after one, in their order."""
        with self._connection() as connection:
            rows = connection.execute(
                f"SELECT sequence, {EXECUTION_COLUMNS} FROM executions WHERE sequence > ?"  # noqa: S608 (constant names)
                " ORDER BY sequence LIMIT ?",
                (sequence, limit),
            ).fetchall()
        return [StoredExecution(row[0], execution_from(row[1:])) for row in rows]

    def newest(self) -> tuple[int, int]:
        """Return the number of the newest record, and that of the newest line; 0: none yet."""
        with self._connection() as connection:
            found = dict(
                connection.execute(
                    "SELECT name, seq FROM sqlite_sequence WHERE name IN ('executions','log_lines')"
                ).fetchall()
            )
        return found.get("executions", 0), found.get("log_lines", 0)

    def recordings(self, invocation_id: str) -> Sequence[Recording]:
        """Return recorded content in order; raise ``Stalled`` if it cannot be decrypted here."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT invocation_id, hook_id, at, protected FROM recordings"
                " WHERE invocation_id = ? ORDER BY sequence",
                (invocation_id,),
            ).fetchall()
        if rows and self._vault is None:
            raise Stalled("Recorded content is encrypted, and the vault is not open here.")
        return [
            Recording(invocation, hook_id, from_microseconds(at), read_content(self._vault, data))
            for invocation, hook_id, at, data in rows
            if self._vault is not None
        ]

    def is_recorded(self, invocation_id: str) -> bool:
        """Tell whether there is recorded content, without decrypting it."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT 1 FROM recordings WHERE invocation_id = ? LIMIT 1", (invocation_id,)
            ).fetchone()
        return row is not None

    def stats(self, query: StatsQuery) -> Stats:
        """Return what a window held; raise ``Rejected`` for one that is empty or too much."""
        with self._connection() as connection:
            ids = None
            if query.hook is not None:
                named = _ULID.match(query.hook)
                ids = [query.hook] if named else _ids_of(connection, query.hook)
            return read_stats(connection, query, ids)

    def accesses(self, query: AccessQuery, cursor: str | None, limit: int) -> Page[AccessRecord]:
        """Return a page; raise ``Rejected`` for a bad cursor or limit."""
        page = PageOf("accesses", _ACCESS_COLUMNS, query.since, query.until, cursor, limit)
        if query.subject is not None:
            page.scan(("instr(' ' || subject || ' ', ' ' || ? || ' ') > 0", query.subject))
        with self._connection() as connection:
            page.read(
                connection,
                (("client", query.client), ("address", query.address), ("kind", query.kind)),
            )
        return page.cut(
            lambda row: AccessRecord(
                Access(*row[2:8]), row[8], from_microseconds(row[9]), from_microseconds(row[10])
            )
        )

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


def _has(column: str, text: str) -> Scan:
    """Look for a part of a text whatever its case, which SQLite knows of ASCII only."""
    if text.isascii():
        return f"instr(lower({column}), lower(?)) > 0", text
    return f"instr({LOWERED}({column}), ?) > 0", text.lower()


def _hooks_meant(connection: sqlite3.Connection, name_or_id: str | None) -> list[Filters]:
    """Return what rows of a hook hold; several hooks may have had a name in turn."""
    if name_or_id is None or _ULID.match(name_or_id):
        return [(("hook_id", name_or_id),)]
    ids = _ids_of(connection, name_or_id)
    return [(("hook_id", hook_id), ("hook_name", name_or_id)) for hook_id in ids]


def _ids_of(connection: sqlite3.Connection, name: str) -> list[str]:
    """Return the ids of all hooks that had a name."""
    rows = connection.execute("SELECT hook_id FROM hook_names WHERE hook_name = ?", (name,))
    return [hook_id for (hook_id,) in rows.fetchall()]
