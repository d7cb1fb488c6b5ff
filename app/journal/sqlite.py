"""The ``Journal`` port on a SQLite file.

A crash of the process loses at most what was recorded in the last ``flush_interval`` seconds; what
was written stays. Queries see what was written: call ``flush`` first to see everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
from app.application.ports import Clock, Vault
from app.application.views import Page
from app.domain.errors import Transient
from app.domain.outcomes import LogLine
from app.journal.accesses import AccessCounter
from app.journal.buffer import Buffer, Signals
from app.journal.reader import Reader
from app.journal.retention import Retention
from app.journal.store import OnStored, Stored
from app.journal.writer import Counters, Writer

_DEFAULT_RETENTION = Retention()


def tell_nobody(stored: Stored) -> None:
    """Let what was stored be."""


class SqliteJournal:
    """Implements ``Journal`` and ``AccessLog``. Thread-safe; one process writes, any read."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        vault: Vault | None = None,
        on_stored: OnStored = tell_nobody,
        flush_interval: float = 0.2,
        max_buffer: int = 100_000,
        max_buffer_bytes: int = 64 << 20,
        retention: Retention = _DEFAULT_RETENTION,
    ) -> None:
        """Open the file and start the writing thread; raise ``Stalled`` if it is unusable.

        ``vault`` encrypts recorded content; without it none is kept. ``on_stored`` is called by the
        writing thread after each batch. ``flush_interval`` is in seconds; ``max_buffer`` counts
        executions and, apart from them, log lines; ``max_buffer_bytes`` bounds the text of the
        waiting lines.
        """
        signals = Signals()
        self._buffer = Buffer(signals, max_buffer, max_buffer_bytes)
        self._accesses = AccessCounter(signals, clock)
        self._writer = Writer(
            path,
            self._buffer,
            signals,
            self._accesses,
            clock,
            flush_interval,
            retention,
            vault,
            on_stored,
        )
        self._reader = Reader(path, vault)

    @property
    def counters(self) -> Counters:
        """What was stored and dropped since the start, for metrics."""
        return self._writer.counters

    def record(self, execution: ExecutionRecord) -> None:
        """Add to the batch that is written next; about a microsecond, and never blocks."""
        self._buffer.add_execution(execution)

    def log(self, line: LogLine) -> None:
        """Add to the batch that is written next; about a microsecond, and never blocks."""
        self._buffer.add_line(line)

    def note(self, access: Access) -> None:
        """Count an access; about two microseconds, and never blocks."""
        self._accesses.note(access)

    def flush(self, timeout: float = 10.0) -> None:
        """Wait until all that was recorded before is stored.

        Blocking: call it from a thread. Raises ``Transient`` after ``timeout`` seconds.
        """
        if not self._writer.wait_for(self._buffer.added, timeout):
            raise Transient(f"The journal could not be written within {timeout:g} seconds.")

    def close(self, timeout: float = 5.0) -> None:
        """Store what is left and close the file; what cannot be stored in time is lost, loudly."""
        self._buffer.close()
        # First: the last connection to close empties the write-ahead log, which readers may not.
        self._reader.close()
        self._writer.close(timeout)

    def executions(
        self, query: ExecutionQuery, *, cursor: str | None, limit: int
    ) -> Page[ExecutionRecord]:
        """Return a page, newest first.

        Blocking: call it from a thread. Raises ``Rejected`` for a cursor that is not one of ours.
        """
        return self._reader.executions(query, cursor, limit)

    def lines(self, query: LogQuery, *, cursor: str | None, limit: int) -> Page[StoredLine]:
        """Return a page, newest first.

        Blocking: call it from a thread. Raises ``Rejected`` for a cursor that is not one of ours.
        """
        return self._reader.lines(query, cursor, limit)

    def lines_after(self, sequence: int, limit: int) -> Sequence[StoredLine]:
        """Return the lines stored next after one, in order. Blocking."""
        return self._reader.lines_after(sequence, limit)

    def executions_after(self, sequence: int, limit: int) -> Sequence[StoredExecution]:
        """Return the records stored next after one, in order. Blocking."""
        return self._reader.executions_after(sequence, limit)

    def newest(self) -> tuple[int, int]:
        """Return the numbers of the newest record and of the newest line. Blocking."""
        return self._reader.newest()

    def recordings(self, invocation_id: str) -> Sequence[Recording]:
        """Return recorded payloads and results of an invocation, decrypted. Blocking."""
        return self._reader.recordings(invocation_id)

    def is_recorded(self, invocation_id: str) -> bool:
        """Tell whether an invocation has recorded content. Blocking."""
        return self._reader.is_recorded(invocation_id)

    def stats(self, query: StatsQuery) -> Stats:
        """Return what a window held. Blocking; raises ``Rejected`` for one that is too much."""
        return self._reader.stats(query)

    def accesses(self, query: AccessQuery, *, cursor: str | None, limit: int) -> Page[AccessRecord]:
        """Return a page of accesses, newest first. Blocking; raises as ``executions`` does."""
        return self._reader.accesses(query, cursor, limit)
