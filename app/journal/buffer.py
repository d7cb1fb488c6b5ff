"""What was recorded but not yet written: bounded, and the only thing writers of the hot path touch.

When it is full the oldest log lines go, and are counted for each hook; executions have room of
their own, which fills only when the disk fails, and losing one is counted and reported as well.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from app.application.journal_views import Content, ExecutionRecord
from app.domain.outcomes import LogLine

_LOG = logging.getLogger("hookledger.journal")

_HURRY_AT = 5000
_LINE_OVERHEAD = 200
_MOST_CONTENT_BYTES = 32 << 20
"""Of payloads and results that wait; records beyond it go without."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written in one transaction."""

    executions: tuple[ExecutionRecord, ...]
    lines: tuple[LogLine, ...]
    dropped_executions: int
    dropped_lines: Mapping[str, int]
    """Hook id to the number of its lines that were dropped since the last batch."""
    ticket: int
    """Everything that was added before this number of additions is in this batch or earlier."""

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to write."""
        return not (self.executions or self.lines or self.dropped_executions or self.dropped_lines)


@dataclass(slots=True)
class Signals:
    """How the writing thread is woken."""

    filled: threading.Event = field(default_factory=threading.Event)
    """There is something to write, or to do."""
    hurry: threading.Event = field(default_factory=threading.Event)
    """Do not wait for more."""

    def urge(self) -> None:
        """Have everything written at once."""
        self.hurry.set()
        self.filled.set()


class Buffer:
    """A queue of two kinds of items. Thread-safe; adding takes about a microsecond."""

    def __init__(self, signals: Signals, max_items: int, max_bytes: int) -> None:
        self._signals = signals
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._added = 0
        self._closed = False
        self._clear()

    def close(self) -> None:
        """Take nothing more; what is added from now on is lost, and reported."""
        with self._lock:
            self._closed = True

    def add_execution(self, execution: ExecutionRecord) -> None:
        """Append; drops the oldest execution when ``max_items`` of them wait."""
        with self._lock:
            if self._closed:
                _LOG.error(
                    "The execution %s is lost: the journal is closed.", execution.invocation_id
                )
                return
            if getattr(execution, "content", None) is not None:
                execution = self._bounded(execution)
            self._executions.append(execution)
            self._added += 1
            waiting = len(self._executions)
            if waiting > self._max_items:
                self._executions.popleft()
                self._dropped_executions += 1
        self._wake(waiting)

    def add_line(self, line: LogLine) -> None:
        """Append; drops the oldest lines when there are too many or they take too many bytes."""
        with self._lock:
            if self._closed:
                _LOG.error("A log line of hook %s is lost: the journal is closed.", line.hook_id)
                return
            self._lines.append(line)
            self._added += 1
            self._bytes += len(line.text) + _LINE_OVERHEAD
            waiting = len(self._lines)
            while self._bytes > self._max_bytes or len(self._lines) > self._max_items:
                dropped = self._lines.popleft()
                self._bytes -= len(dropped.text) + _LINE_OVERHEAD
                self._dropped_lines[dropped.hook_id] += 1
        self._wake(waiting)

    @property
    def added(self) -> int:
        """Ticket of the newest addition."""
        with self._lock:
            return self._added

    def take(self) -> Batch:
        """Empty the buffer."""
        with self._lock:
            executions, lines, ticket = self._executions, self._lines, self._added
            dropped_executions, dropped_lines = self._dropped_executions, self._dropped_lines
            self._clear()
        return Batch(tuple(executions), tuple(lines), dropped_executions, dropped_lines, ticket)

    def _bounded(self, execution: ExecutionRecord) -> ExecutionRecord:
        content = execution.content
        assert content is not None  # noqa: S101 (asked by the caller)
        self._content_bytes += len(content.payload or b"") + len(content.result or b"")
        if self._content_bytes <= _MOST_CONTENT_BYTES:
            return execution
        emptied = Content(None, None, content.masked, "Too much waited to be written.")
        return replace(execution, content=emptied)

    def _clear(self) -> None:
        self._content_bytes = 0
        self._executions: deque[ExecutionRecord] = deque()
        self._lines: deque[LogLine] = deque()
        self._bytes = 0
        self._dropped_executions = 0
        self._dropped_lines: Counter[str] = Counter()

    def _wake(self, waiting: int) -> None:
        # Setting an event costs more than the rest; reading one costs next to nothing.
        if not self._signals.filled.is_set():
            self._signals.filled.set()
        if waiting >= _HURRY_AT and not self._signals.hurry.is_set():
            self._signals.hurry.set()
