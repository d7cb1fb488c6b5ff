"""Records and lines as rows of the journal's tables, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

from app.application.journal_views import ExecutionRecord, StoredLine
from app.domain.outcomes import LogLine, OutcomeKind
from app.domain.revisions import Position
from app.sqlite_files import from_microseconds, to_microseconds

Row = tuple[Any, ...]
"""Values as SQLite stores them, in the order of the columns below."""

EXECUTION_COLUMNS = (
    "invocation_id, at, trigger_id, hook_id, hook_name, commit_id, position, caller, kind, error,"
    " queued_ms, ran_ms, total_ms, request_bytes, response_bytes, error_class"
)
LINE_COLUMNS = "invocation_id, hook_id, at, level, stream, text"

_CHUNKS = (1000, 100, 10, 1)


def execution_row(execution: ExecutionRecord) -> Row:
    """Flatten a record."""
    return (
        execution.invocation_id,
        to_microseconds(execution.at),
        execution.trigger,
        execution.hook_id,
        execution.hook_name,
        execution.commit,
        execution.position,
        execution.caller,
        execution.kind.value,
        execution.error,
        execution.queued_ms,
        execution.ran_ms,
        execution.total_ms,
        execution.request_bytes,
        execution.response_bytes,
        execution.error_class,
    )


def execution_from(row: Row) -> ExecutionRecord:
    """Undo ``execution_row``."""
    invocation_id, at, trigger, hook_id, hook_name, commit, position, caller, kind, *rest = row
    return ExecutionRecord(
        invocation_id,
        from_microseconds(at),
        trigger,
        hook_id,
        hook_name,
        commit,
        Position(position),
        caller,
        OutcomeKind(kind),
        *rest,
    )


def line_row(line: LogLine) -> Row:
    """Flatten a line."""
    return (
        line.invocation_id,
        line.hook_id,
        to_microseconds(line.at),
        line.level,
        line.stream,
        line.text,
    )


def line_from(sequence: int, row: Row) -> StoredLine:
    """Undo ``line_row``."""
    invocation_id, hook_id, at, level, stream, text = row
    return StoredLine(
        sequence, LogLine(invocation_id, hook_id, from_microseconds(at), level, stream, text)
    )


def insert(connection: sqlite3.Connection, table: str, columns: str, rows: Sequence[Row]) -> None:
    """Insert rows, many with each statement.

    ``executemany`` would release and take the interpreter's lock once a row, and on a busy server
    each taking can cost a switch interval: hundreds of rows a second instead of tens of thousands.
    """
    width = columns.count(",") + 1
    one = f"({', '.join('?' * width)})"
    done = 0
    for size in _CHUNKS:
        statement = f"INSERT INTO {table} ({columns}) VALUES {', '.join([one] * size)}"  # noqa: S608 (constant names)
        while len(rows) - done >= size:
            connection.execute(statement, list(chain.from_iterable(rows[done : done + size])))
            done += size


def storable(row: Row) -> Row:
    """Replace what SQLite cannot store as text: halves of surrogate pairs."""
    return tuple(
        value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for value in row
    )
