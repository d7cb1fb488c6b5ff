"""What a worker writes to its descriptors 1 and 2 past Python: libraries, the interpreter dying.

The pipe does not block the writer: what does not fit is lost to it. Read is a fixed amount between
two answers; a hook that writes more fills the pipe, not the server's time.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable

from app.runtime.inside.protocol import LINE_COST, RECEIVE_BYTES

LONGEST_LINE = 16_384

Emit = Callable[[str], None]


class RawOutput:
    """Reads lines from ``fd``, which it owns."""

    def __init__(self, fd: int, emit: Emit, budget: int) -> None:
        self._fd = fd
        self._emit = emit
        self._budget = self._remaining = budget
        self._partial = b""
        self._reading = False
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._resume()

    def settle(self) -> None:
        """Read what was written up to now, and allow as much again."""
        if self._fd < 0:
            return
        # Asked first: to be told by an exception that there is nothing takes three times as long.
        if self._poll.poll(0):
            if self._remaining <= 0:
                self._discard()
            else:
                self._receive()
        if self._partial:
            self._emit_line(self._partial)
            self._partial = b""
        self._remaining = self._budget
        self._resume()

    def close(self) -> None:
        """Read the rest and close; a second time, nothing happens."""
        if self._fd >= 0:
            self.settle()
            self._pause()
            os.close(self._fd)
            self._fd = -1

    def _receive(self) -> None:
        try:
            data = os.read(self._fd, RECEIVE_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._pause()
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._emit_line(line)
        if len(self._partial) > LONGEST_LINE:
            self._emit_line(self._partial)
            self._partial = b""
        if self._remaining <= 0:
            self._pause()

    def _emit_line(self, line: bytes) -> None:
        if line and self._remaining > 0:
            self._remaining -= max(len(line), LINE_COST)
            self._emit(line[:LONGEST_LINE].decode("utf-8", "replace"))

    def _discard(self) -> None:
        try:
            os.read(self._fd, RECEIVE_BYTES)
        except BlockingIOError:
            return

    def _resume(self) -> None:
        if not self._reading and self._fd >= 0:
            asyncio.get_running_loop().add_reader(self._fd, self._receive)
            self._reading = True

    def _pause(self) -> None:
        if self._reading:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._reading = False
