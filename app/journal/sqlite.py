"""The ``Journal`` port on a SQLite file.

A crash of the process loses at most what was recorded in the last ``flush_interval`` seconds; what
was written stays. Queries see what was written: call ``flush`` first to see everything.
"""

from __future__ import annotations

from pathlib import Path

from app.application.ports import Clock
from app.application.views import ExecutionQuery, ExecutionRecord, LogQuery, Page, StoredLine
from app.domain.errors import Transient
from app.domain.outcomes import LogLine
from app.journal.buffer import Buffer, Signals
from app.journal.reader import Reader
from app.journal.retention import Retention
from app.journal.writer import Counters, Writer

_DEFAULT_RETENTION = Retention()


class SqliteJournal:
    """Implements ``Journal``. Thread-safe; one process writes, any number read."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        flush_interval: float = 0.2,
        max_buffer: int = 100_000,
        max_buffer_bytes: int = 64 << 20,
        retention: Retention = _DEFAULT_RETENTION,
    ) -> None:
        """Open the file and start the writing thread; raise ``Stalled`` if it is unusable.

        ``flush_interval`` is in seconds; ``max_buffer`` counts executions and, apart from them,
        log lines; ``max_buffer_bytes`` bounds the text of the waiting lines.
        """
        signals = Signals()
        self._buffer = Buffer(signals, max_buffer, max_buffer_bytes)
        self._writer = Writer(path, self._buffer, signals, clock, flush_interval, retention)
        self._reader = Reader(path)

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
