"""Connections that send an answer in one write, and wait for no request for ever.

uvicorn writes the head of an answer and its body apart, a system call each; on the hot path these
two are a quarter of the server's time. What one round of the event loop says is joined here.

It also waits without end for a request that arrives byte by byte, of which a few hundred take up
every connection ("slowloris"). Here one timer for each connection looks from time to time; a
request that arrives at once costs two assignments.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.web.errors import TooSlow
from app.web.exchange import ALWAYS
from app.web.problems import problem_answer


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's protocol on a transport that joins writes, with an end to its patience."""

    header_seconds = 10.0
    """For the head of a request; also for the first byte of a new connection."""
    request_seconds = 60.0
    """For the whole request, body included."""

    _due = math.inf
    """When the request that is arriving must be here."""
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection (``asyncio.Protocol``)."""
        joined = cast("asyncio.Transport", JoinedWrites(transport, asyncio.get_running_loop()))
        super().connection_made(joined)
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
        self._due = self.loop.time() + self.header_seconds

    def on_headers_complete(self) -> None:
        """Begin its body (httptools)."""
        super().on_headers_complete()
        self._due += self.request_seconds - self.header_seconds

    def on_message_complete(self) -> None:
        """End it (httptools)."""
        super().on_message_complete()
        self._due = math.inf

    def _look(self) -> None:
        left = self._due - self.loop.time()
        cycle: RequestResponseCycle | None = self.cycle
        answered = cycle is None or cycle.response_complete
        if left > 0 or (cycle is not None and not answered and not cycle.more_body):
            # In time, or behind an earlier request of the connection whose answer is under way.
            pause = min(left, self.header_seconds) if left > 0 else self.header_seconds
            self._watch = self.loop.call_later(pause, self._look)
        elif not self.transport.is_closing():
            if answered or (cycle is not None and not cycle.response_started):
                self.transport.write(_TOO_SLOW)
            self.transport.close()


def patient_protocol(*, header_seconds: float, request_seconds: float) -> type[OneWriteProtocol]:
    """Return the protocol with these patiences, in seconds."""
    waits = {"header_seconds": header_seconds, "request_seconds": request_seconds}
    return type("PatientProtocol", (OneWriteProtocol,), waits)


def _too_slow() -> bytes:
    response = problem_answer(TooSlow(), {"path": "/"})
    headers = [*response.raw_headers, *ALWAYS, (b"connection", b"close")]
    head = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"HTTP/1.1 408 Request Timeout\r\n" + head + b"\r\n" + bytes(response.body)


_TOO_SLOW = _too_slow()


class JoinedWrites:
    """A transport whose writes wait until the loop comes round; all else goes straight through."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write soon, together with what follows."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """Write what waits, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._transport.is_closing():
            self._transport.write(b"".join(waiting))
