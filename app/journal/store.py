"""Writing a batch: one transaction, which stores all of it, or at least all that can be."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from app.application.journal_views import Content, ExecutionRecord
from app.application.ports import Clock, Vault
from app.domain.errors import HookledgerError
from app.domain.outcomes import LogLine
from app.journal import accesses, tallies
from app.journal.accesses import Counted
from app.journal.accesses import Key as AccessKey
from app.journal.buffer import Batch
from app.journal.database import open_for_writing
from app.journal.rows import (
    EXECUTION_COLUMNS,
    LINE_COLUMNS,
    Row,
    execution_row,
    insert,
    line_row,
    storable,
)
from app.sqlite_files import from_microseconds, to_microseconds

_LOG = logging.getLogger("hookledger.journal")

PURPOSE = "journal recording"
"""Of the key that recorded content is encrypted under."""

_HOOK_ID, _HOOK_NAME = (EXECUTION_COLUMNS.split(", ").index(c) for c in ("hook_id", "hook_name"))
_UNSTORABLE = (TypeError, ValueError, OverflowError, AttributeError, sqlite3.ProgrammingError)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored:
    """What a transaction stored."""

    executions: Sequence[tuple[int, ExecutionRecord]]
    """Each with its number."""
    lines: Sequence[tuple[int, LogLine]]


OnStored = Callable[[Stored], None]
"""Called by the writing thread after each transaction; must neither wait nor raise."""


class Store:
    """The only connection that writes; for one thread at a time."""

    def __init__(self, path: Path, clock: Clock, vault: Vault | None, window_ms: int) -> None:
        """Open; if the last writer did not close, leave a line that says what may be missing.

        Without ``vault`` no content is kept. ``window_ms`` is how old records may get before they
        are written.
        """
        self.connection = open_for_writing(path)
        self._vault = vault
        self._known_names: set[Row] = set()
        self._tell_gap(path, clock)
        self.connection.execute("INSERT INTO open_writer VALUES (?)", (window_ms,))

    def close(self) -> None:
        """Close; the next writer will find no gap."""
        try:
            self.connection.execute("DELETE FROM open_writer")
        except sqlite3.Error as error:
            _LOG.warning("The journal could not be marked as closed: %s", error)
        finally:
            self.connection.close()

    def store(self, batch: Batch, noted: Mapping[AccessKey, Counted]) -> Stored:
        """Store a batch and accesses; raises ``sqlite3.Error``, and then nothing is stored."""
        executions = _convert(execution_row, batch.executions)
        lines = _convert(line_row, batch.lines)
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            stored = Stored(
                self._insert("executions", EXECUTION_COLUMNS, *executions),
                self._insert("log_lines", LINE_COLUMNS, *lines),
            )
            recorded, rows = executions
            if len(stored.executions) < len(rows):  # some could not be stored
                recorded = [record for _, record in stored.executions]
                rows = [execution_row(record) for record in recorded]
            names = self._insert_names(rows)
            tallies.store(self.connection, rows)
            self._insert_contents(recorded)
            accesses.store(self.connection, dict(noted))
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        self._known_names |= names
        return stored

    def _insert(
        self, table: str, columns: str, items: Sequence[T], rows: Sequence[Row]
    ) -> list[tuple[int, T]]:
        """Insert all rows, or at least all that can be; return their items with their numbers."""
        self.connection.execute("SAVEPOINT rows")
        try:
            insert(self.connection, table, columns, rows)
        except _UNSTORABLE:
            self.connection.execute("ROLLBACK TO rows")
        else:
            # Nobody else writes, so the numbers of one transaction have no gaps.
            return list(enumerate(items, self._last_number() - len(rows) + 1))
        done: list[tuple[int, T]] = []
        for item, row in zip(items, rows, strict=True):
            try:
                insert(self.connection, table, columns, [storable(row)])
            except _UNSTORABLE:
                continue
            done.append((self._last_number(), item))
        if len(done) < len(rows):
            unstorable = len(rows) - len(done)
            _LOG.error("%d rows of %s hold values that cannot be stored.", unstorable, table)
        return done

    def _last_number(self) -> int:
        (number,) = self.connection.execute("SELECT last_insert_rowid()").fetchone()
        return int(number)

    def _insert_names(self, executions: Sequence[Row]) -> set[Row]:
        """Remember which hooks had which names; return the pairs that were new."""
        pairs = {(row[_HOOK_NAME], row[_HOOK_ID]) for row in executions} - self._known_names
        self.connection.executemany(
            "INSERT OR IGNORE INTO hook_names VALUES (?, ?)",
            [storable(pair) for pair in pairs if None not in pair],
        )
        return pairs

    def _insert_contents(self, recorded: Sequence[ExecutionRecord]) -> None:
        if self._vault is None:
            return
        for record in recorded:
            if record.content is not None:
                try:
                    protected = self._vault.protect(PURPOSE, _encode(record.content))
                except HookledgerError:  # the record itself matters more
                    _LOG.exception("Recorded content of %s is lost.", record.invocation_id)
                    continue
                self.connection.execute(
                    "INSERT INTO recordings (invocation_id, hook_id, at, protected)"
                    " VALUES (?, ?, ?, ?)",
                    (record.invocation_id, record.hook_id, to_microseconds(record.at), protected),
                )

    def _tell_gap(self, path: Path, clock: Clock) -> None:
        left = self.connection.execute("SELECT max(window_ms) FROM open_writer").fetchone()[0]
        if left is None:
            return
        newest = max(
            self.connection.execute(f"SELECT max(at) FROM {table}").fetchone()[0] or 0  # noqa: S608 (constant names)
            for table in ("executions", "log_lines")
        )
        at = from_microseconds(newest) if newest else clock()
        text = (
            "hookledger: the server ended without closing its journal; of what happened after this,"
            f" up to {left} ms of records and log lines may be missing"
        )
        insert(
            self.connection,
            "log_lines",
            LINE_COLUMNS,
            [line_row(LogLine(None, "", at, "warning", "log", text))],
        )
        self.connection.execute("DELETE FROM open_writer")
        _LOG.warning(
            "The journal %s was not closed: up to %d ms of records after %s may be missing.",
            path,
            left,
            at.isoformat(),
        )


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Content).decode


def read_content(vault: Vault, protected: bytes) -> Content:
    """Undo what storing did; raise ``Rejected`` when it was altered."""
    return _decode(vault.reveal(PURPOSE, protected))


def _convert(to_row: Callable[[T], Row], items: Sequence[T]) -> tuple[Sequence[T], list[Row]]:
    """Return the items that can be made rows, and their rows."""
    try:
        return items, list(map(to_row, items))
    except _UNSTORABLE:
        pass
    able, rows = [], []
    for item in items:
        try:
            rows.append(to_row(item))
        except _UNSTORABLE:
            _LOG.exception("A %s that is not one was dropped.", type(item).__name__)
        else:
            able.append(item)
    return able, rows
