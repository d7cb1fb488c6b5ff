"""What a hook prints and logs, line by line, told apart by call.

A context variable says which call runs: it follows ``await``, so calls that take turns on one event
loop do not mix. Threads that a hook starts begin without one; their lines go to the call that runs.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar

from app.runtime.inside.protocol import LEVELS, LINE_COST, LOG, STREAMS, log_body

LONGEST_LINE = 16_384
"""Characters; a longer line is sent in parts, so that memory stays bounded without newlines."""

_DEBUG, _INFO, _WARNING, _ERROR = range(len(LEVELS))
_STDOUT, _STDERR, _LOG = range(len(STREAMS))

_MESSAGE_ALONE = logging.Formatter("%(message)s")
"""Made before the fork: making it costs a worker 0.3 ms of its start."""

Send = Callable[[int, int, bytes], None]
"""Sends a message: id, kind, body."""


class Scope:
    """Whose lines these are: a call's, or those of the time between calls (number 0)."""

    __slots__ = ("dropped", "number", "partial", "remaining")

    def __init__(self, number: int, budget: int) -> None:
        self.number = number
        self.remaining = budget
        self.dropped = 0
        self.partial = {_STDOUT: "", _STDERR: ""}


class Capture:
    """Stands in for standard output, standard error and logging.

    ``lock`` is also held by whoever sends anything else, and is re-entrant: a signal handler of the
    hook may print in the middle of a print.
    """

    def __init__(self, send: Send, lock: threading.RLock) -> None:
        self._send = send
        self._lock = lock
        self._current: ContextVar[Scope | None] = ContextVar("call", default=None)
        self.allow(0)

    def allow(self, budget: int) -> None:
        """Let a call, and the time between two, write ``budget`` bytes."""
        self._budget = budget
        self._fallback = self._outside = Scope(0, budget)

    def install(self) -> None:
        """Take over ``print``, ``sys.stdout``, ``sys.stderr`` and the root logger."""
        for name, stream in (("stdout", _STDOUT), ("stderr", _STDERR)):
            standing_in = _Stream(self, stream)
            setattr(sys, name, standing_in)
            setattr(sys, f"__{name}__", standing_in)
        handler = _Handler(self)
        handler.setFormatter(_MESSAGE_ALONE)
        logging.root.handlers[:] = [handler]
        logging.root.setLevel(logging.INFO)
        logging.raiseExceptions = False

    def begin(self, number: int, *, alone: bool) -> Scope:
        """Open the scope of a call; ``alone`` when no other runs meanwhile."""
        scope = Scope(number, self._budget)
        self._current.set(scope)
        if alone:
            self._fallback = scope
        return scope

    def end(self, scope: Scope) -> None:
        """Send what is left; lines written to the scope afterwards belong to no call."""
        with self._lock:
            for stream, rest in scope.partial.items():
                if rest:
                    scope.partial[stream] = ""
                    self._line(scope, _level_of(stream), stream, rest)
            if scope.dropped:
                self._say_dropped(scope)
            scope.number = 0
            self._renew_outside(ended=scope)

    def write(self, stream: int, text: str) -> None:
        """Send the whole lines of ``text``, keep the rest for the next write."""
        with self._lock:
            scope = self._scope()
            text = scope.partial[stream] + text
            *lines, rest = text.split("\n")
            while len(rest) > LONGEST_LINE:
                lines.append(rest[:LONGEST_LINE])
                rest = rest[LONGEST_LINE:]
            scope.partial[stream] = rest
            for line in lines:
                self._line(scope, _level_of(stream), stream, line)

    def log(self, level: int, text: str) -> None:
        """Send a log record's text, each of its lines as one."""
        with self._lock:
            scope = self._scope()
            for line in text.split("\n"):
                self._line(scope, level, _LOG, line)

    def _scope(self) -> Scope:
        scope = self._current.get() or self._fallback
        # A call that has ended: its thread or task wrote late.
        return self._outside if scope.number == 0 else scope

    def _line(self, scope: Scope, level: int, stream: int, line: str) -> None:
        for start in range(0, len(line) or 1, LONGEST_LINE):
            body = log_body(level, stream, line[start : start + LONGEST_LINE])
            cost = max(len(body), LINE_COST)
            if cost > scope.remaining:
                scope.remaining = 0
                scope.dropped += 1
                return
            scope.remaining -= cost
            self._send(scope.number, LOG, body)

    def _renew_outside(self, ended: Scope) -> None:
        """Let late lines be as many again after each call, so that they never flood."""
        self._outside.remaining, self._outside.dropped = self._budget, 0
        if self._fallback is ended:
            self._fallback = self._outside

    def _say_dropped(self, scope: Scope) -> None:
        text = (
            f"{scope.dropped} more lines were dropped: a call may write {self._budget} bytes of log"
        )
        scope.dropped = 0
        self._send(scope.number, LOG, log_body(_WARNING, _LOG, text))


class _Stream(io.TextIOBase):
    """A text stream into the capture."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, capture: Capture, stream: int) -> None:
        self._capture = capture
        self._stream = stream
        self.buffer = _Bytes(self)

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self._capture.write(self._stream, text)
        return len(text)


class _Bytes(io.RawIOBase):
    """``sys.stdout.buffer``."""

    def __init__(self, text: _Stream) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        content = bytes(data)  # type: ignore[call-overload]
        self._text.write(content.decode("utf-8", "replace"))
        return len(content)


class _Handler(logging.Handler):
    """Log records into the capture."""

    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001 (arguments that do not fit are the hook's)
            text = f"{record.msg} (could not be formatted: {error})"
        self._capture.log(_level(record.levelno), text)


def _level(number: int) -> int:
    if number >= logging.ERROR:
        return _ERROR
    if number >= logging.WARNING:
        return _WARNING
    return _INFO if number >= logging.INFO else _DEBUG


def _level_of(stream: int) -> int:
    return _ERROR if stream == _STDERR else _INFO
