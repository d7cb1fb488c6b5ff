"""Connections that wait for no request for ever.

uvicorn waits without end for a request that arrives byte by byte, of which a few hundred take up
every connection ("slowloris"). Here one timer for each connection looks from time to time; a
request that arrives at once costs two assignments.
"""

from __future__ import annotations

import asyncio
import math

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.web.admission.exchange import ALWAYS
from app.web.protocol.errors import TooSlow
from app.web.protocol.problems import problem_answer


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with an end to its patience."""

    header_seconds = 10.0
    """For the head of a request; also for the first byte of a new connection."""
    request_seconds = 60.0
    """For the whole request, body included."""

    drain_seconds = 1.0
    """At the server's end: for the other side to read some of what is written already."""

    _due = math.inf
    """When the request that is arriving must be here, or the next one begin."""
    _rests = False
    """Whether the last answer has left and nothing came since."""
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection (``asyncio.Protocol``)."""
        super().connection_made(transport)
        self._due = self.loop.time() + self.header_seconds
        self._watch = self.loop.call_later(self.header_seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection (``asyncio.Protocol``)."""
        super().connection_lost(exc)
        if self._watch is not None:
            self._watch.cancel()

    def on_message_begin(self) -> None:
        """Begin a request (httptools)."""
        super().on_message_begin()
        self.begin_patience()

    def on_headers_complete(self) -> None:
        """Begin its body (httptools)."""
        super().on_headers_complete()
        self.extend_patience()

    def on_message_complete(self) -> None:
        """End it (httptools)."""
        super().on_message_complete()
        self.end_patience()

    def on_response_complete(self) -> None:
        """Wait for the next request (uvicorn), by the timer there is instead of one for each."""
        if self.pipeline or self.transport.is_closing() or self._due != math.inf:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._rests = True
        self._due = self.loop.time() + self.timeout_keep_alive

    def shutdown(self) -> None:
        """Answer what was asked, and close; but wait for nobody who does not read (uvicorn)."""
        super().shutdown()
        self.loop.call_later(self.drain_seconds, self._begin_cut)

    def begin_patience(self) -> None:
        """Wait for the head of a request."""
        self._rests = False
        self._due = self.loop.time() + self.header_seconds

    def extend_patience(self) -> None:
        """Wait for its body too."""
        self._due += self.request_seconds - self.header_seconds

    def end_patience(self) -> None:
        """Wait for nothing."""
        self._due = math.inf

    def _begin_cut(self) -> None:
        before = self.transport.get_write_buffer_size()
        if before:
            self.loop.call_later(self.drain_seconds, self._cut_off, before)

    def _cut_off(self, before: int) -> None:
        if self.transport.get_write_buffer_size() >= before:
            self.transport.abort()

    def _look(self) -> None:
        left = self._due - self.loop.time()
        cycle: RequestResponseCycle | None = self.cycle
        answered = cycle is None or cycle.response_complete
        if self.transport.is_closing() and not answered:
            self.transport.abort()  # the answer was given up: nobody reads it
        elif left > 0 or (cycle is not None and not answered and not cycle.more_body):
            # In time, or behind an earlier request of the connection whose answer is under way.
            pause = min(left, self.header_seconds) if left > 0 else self.header_seconds
            self._watch = self.loop.call_later(pause, self._look)
        elif not self.transport.is_closing():
            if not self._rests and (answered or (cycle is not None and not cycle.response_started)):
                self.transport.write(_TOO_SLOW)
            self.transport.close()


def _too_slow() -> bytes:
    response = problem_answer(TooSlow(), {"path": "/"})
    headers = [*response.raw_headers, *ALWAYS, (b"connection", b"close")]
    head = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"HTTP/1.1 408 Request Timeout\r\n" + head + b"\r\n" + bytes(response.body)


_TOO_SLOW = _too_slow()
