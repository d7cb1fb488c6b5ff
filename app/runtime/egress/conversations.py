"""One connection of a hook, from what it asks of the proxy to its end.

The name is resolved once and the connection made to one of those very addresses: what the name
means a moment later, or to others, is of no matter. The host that a client names inside a tunnel
(TLS's server name, a ``Host`` field) is not looked at: allowed is a place, by name and port.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Literal

from app.runtime.egress.addresses import Address
from app.runtime.egress.bounds import (
    Bounds,
    Budget,
    Counters,
    Direction,
    Exhausted,
    Verdict,
    amount,
)
from app.runtime.egress.names import Resolve
from app.runtime.egress.policy import Denied, Policy
from app.runtime.egress.requests import (
    END_OF_HEAD,
    BadRequest,
    Request,
    established,
    read_request,
    refusal,
)

_CHUNK = 65536
_LINGER = 1.0
"""Seconds a client has to read an answer to its end."""

Level = Literal["info", "warning"]
Tell = Callable[[Level, str], None]
"""Told, in a sentence, what became of a connection."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all connections of one worker."""

    policy: Policy
    resolve: Resolve
    bounds: Bounds
    counters: Counters
    budget: Budget
    places: asyncio.Semaphore
    """As many as connections to targets may be open."""
    tell: Tell


class _Refused(Exception):
    """The client is answered with a status and a reason."""

    def __init__(self, verdict: Verdict, status: int, reason: str) -> None:
        super().__init__(reason)
        self.verdict: Verdict = verdict
        self.status = status


class Conversation:
    """What is said over one connection; ``run`` returns when both sides are closed."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._bounds = terms.bounds
        self._began = monotonic()
        self.started = False
        """Whether the socket is in its care."""
        self._moved: dict[Direction, int] = {"sent": 0, "received": 0}
        self._told: dict[Direction, int] = {"sent": 0, "received": 0}
        self._place = ""
        """Where it leads, once it does."""

    async def run(self, client: socket.socket) -> None:
        """Serve a connected, non-blocking socket, and close it."""
        self.started = True
        reader, writer = await asyncio.open_connection(sock=client, limit=self._bounds.head_bytes)
        try:
            await self._serve(reader, writer)
        except _Refused as refused:
            self._terms.counters.connections[refused.verdict] += 1
            prefix = "refused: " if refused.verdict == "refused" else ""
            self._terms.tell("warning", f"{prefix}{refused}")
            writer.write(refusal(refused.status, str(refused)))
            with contextlib.suppress(OSError):
                await self._finish(reader, writer)
        finally:
            writer.transport.abort()

    def report(self) -> None:
        """Tell what was moved since the last report, if it was anything."""
        if self._place and self._moved != self._told:
            self._terms.tell("info", f"used {self._place}: {self._figures()}; it stays open")
            self._told = dict(self._moved)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await self._read_request(reader)
        if request is None:
            return
        target = request.target
        try:
            self._terms.policy.check(target)
        except Denied as denied:
            raise _Refused("refused", 403, str(denied)) from None
        async with self._a_place(target):
            address, far_reader, far_writer = await self._connect(request)
            self._place = f"{target}" if str(address) == target.host else f"{target} ({address})"
            self._terms.counters.connections["connected"] += 1
            try:
                if request.is_tunnel:
                    writer.write(established())
                await self._relay(request, (reader, writer), (far_reader, far_writer))
            finally:
                far_writer.transport.abort()

    async def _read_request(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            async with asyncio.timeout(self._bounds.head_seconds):
                return read_request(await reader.readuntil(END_OF_HEAD))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except asyncio.LimitOverrunError:
            most = amount(self._bounds.head_bytes)
            raise _Refused("refused", 431, f"the head of a request is over {most}") from None
        except TimeoutError:
            most = f"{self._bounds.head_seconds:g} s"
            raise _Refused("refused", 408, f"no request came within {most}") from None
        except BadRequest as error:
            raise _Refused("refused", 400, str(error)) from None

    @contextlib.asynccontextmanager
    async def _a_place(self, target: object) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._bounds.connect_seconds):
                await self._terms.places.acquire()
        except TimeoutError:
            most = self._bounds.connections
            reason = (
                f"no way to {target}: {most} connections of this worker are open, as many as may"
            )
            raise _Refused("refused", 503, reason) from None
        try:
            yield
        finally:
            self._terms.places.release()

    async def _connect(
        self, request: Request
    ) -> tuple[Address, asyncio.StreamReader, asyncio.StreamWriter]:
        target = request.target
        try:
            async with asyncio.timeout(self._bounds.connect_seconds):
                addresses = self._terms.policy.usable(
                    target, await self._terms.resolve(target.host)
                )
        except Denied as denied:
            raise _Refused("refused", 403, str(denied)) from None
        except TimeoutError:
            raise _Refused("failed", 504, f"could not find {target.host} in time") from None
        except OSError as error:
            raise _Refused(
                "failed", 502, f"could not find {target.host}: {error.strerror}"
            ) from None
        failure = "it has no address"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._bounds.connect_seconds):
                for address in addresses:
                    failure = "it did not answer in time"
                    try:
                        opened = await asyncio.open_connection(str(address), target.port)
                    except OSError as error:
                        failure = error.strerror or str(error)
                    else:
                        return address, *opened
        status = 504 if "in time" in failure else 502
        raise _Refused("failed", status, f"could not connect to {target}: {failure}")

    async def _relay(
        self,
        request: Request,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Pass bytes on in both directions until both sides are done, or may no more."""
        ended = ""
        try:
            async with asyncio.timeout(self._bounds.idle_seconds) as idle:
                self._count("sent", len(request.head))
                far[1].write(request.head)
                await self._pump_both(request, near, far, idle)
                await self._finish(*near)
        except TimeoutError:
            # The usual end of a connection that is kept for further requests.
            pass
        except Exhausted as exhausted:
            ended = str(exhausted)
        except OSError as error:
            ended = error.strerror or str(error)
        self._conclude(ended)

    async def _pump_both(
        self,
        request: Request,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        idle: asyncio.Timeout,
    ) -> None:
        received = asyncio.ensure_future(self._pump("received", far[0], near[1], idle))
        sent = asyncio.ensure_future(
            self._pump("sent", near[0], far[1], idle, most=request.body_bytes)
        )
        try:
            # A plain request is over when it is answered.
            await (asyncio.gather(sent, received) if request.is_tunnel else received)
        finally:
            sent.cancel()
            received.cancel()
            await asyncio.gather(sent, received, return_exceptions=True)

    async def _pump(
        self,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        idle: asyncio.Timeout,
        *,
        most: int | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        left = most
        while left is None or left > 0:
            data = await reader.read(_CHUNK if left is None else min(left, _CHUNK))
            if not data:
                _end(writer)
                return
            self._count(direction, len(data))
            idle.reschedule(loop.time() + self._bounds.idle_seconds)
            writer.write(data)
            await writer.drain()
            left = None if left is None else left - len(data)

    def _count(self, direction: Direction, count: int) -> None:
        self._moved[direction] += count
        if self._moved[direction] > self._bounds.bytes_per_connection:
            most = amount(self._bounds.bytes_per_connection)
            raise Exhausted(f"a connection may have {most} {direction}")
        self._terms.budget.take(direction, count)

    async def _finish(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Have the client read what is written before the connection is closed."""
        await writer.drain()
        _end(writer)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while await reader.read(_CHUNK):
                    pass

    def _conclude(self, ended: str) -> None:
        if ended:
            self._terms.tell("warning", f"ended {self._place}: {ended}; {self._figures()}")
        elif self._moved != self._told or not any(self._moved.values()):
            seconds = f"{monotonic() - self._began:.3g} s"
            self._terms.tell("info", f"connected {self._place}: {self._figures()} in {seconds}")

    def _figures(self) -> str:
        sent, received = (self._moved[way] - self._told[way] for way in ("sent", "received"))
        return f"sent {amount(sent)}, received {amount(received)}"


def _end(writer: asyncio.StreamWriter) -> None:
    if not writer.transport.is_closing():
        writer.write_eof()
