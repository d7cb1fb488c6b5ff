"""A lane of their own for invocations, before uvicorn's ASGI machinery.

What uvicorn does for every request (a scope, two message functions, an event, a task to drive them,
a regular expression for each header of the answer) costs more than an invocation itself. A plain
request to invoke a trigger, admitted and of known length, is therefore taken off its parser and
answered in one write; whatever is not plain goes the usual way, as an ASGI application's request.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from typing import Any, NamedTuple, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from app.application.views import ActiveTable
from app.domain.errors import HookledgerError
from app.web.admission.connections import PatientProtocol
from app.web.edge import Edge
from app.web.protocol.limits import BODY_LIMIT, RawHeaders
from app.web.triggers.invoke import Question, Reply

_PATH = re.compile(rb"/v1/triggers/([A-Za-z0-9_-]+)/invoke")

_NOT_PLAIN = frozenset((b"transfer-encoding", b"expect", b"upgrade", b"idempotency-key"))

_DIGITS = len(str(BODY_LIMIT))


class Head(NamedTuple):
    """What the last plain request of a connection said, and was found to ask."""

    url: bytes
    token: bytes
    rest: dict[bytes, bytes]
    """Its other headers, without the length of its body."""
    table: ActiveTable
    """The state that its caller was admitted by."""
    question: Question


class LaneProtocol(PatientProtocol):
    """uvicorn's protocol, with the lane before it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        fits = not self.root_path and isinstance(self.app, Edge)
        self._endpoint = cast("Edge", self.app).lane if fits else None
        self._invocation: Invocation | None = None
        """The request in the lane, until another has begun."""
        self._head: Head | None = None
        self._begun: asyncio.Future[Invocation | None] | None = None

    def on_message_begin(self) -> None:
        """Begin a request (parser); its scope is made when it is known to need one."""
        self.begin_patience()
        self.url = b""
        self.headers = []
        self._invocation = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header (parser)."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the request into the lane, or begin an ASGI exchange (parser)."""
        question = self._plain_question()
        if question is not None:
            keep_alive = self.parser.should_keep_alive()
            self._invocation = Invocation(question, self.headers, keep_alive=keep_alive)
            self.cycle = cast("RequestResponseCycle", self._invocation)
            self.extend_patience()
            return
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body (parser)."""
        if self._invocation is not None:
            self._invocation.chunks.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin to answer (parser)."""
        if self._invocation is None:
            super().on_message_complete()
            return
        self.end_patience()
        self._invocation.more_body = False
        if self._begun is not None:
            self._begun.set_result(self._invocation)
            return
        # One task for all of a connection's invocations: to make one takes longer than to wake it.
        self._begun = self.loop.create_future()
        task = self.loop.create_task(self._serve(self._invocation))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let a running invocation finish, for nobody (``asyncio.Protocol``)."""
        super().connection_lost(exc)
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    async def _serve(self, first: Invocation) -> None:
        assert self._begun is not None  # noqa: S101 (made before this task)
        assert self._endpoint is not None  # noqa: S101 (or there were no invocation)
        invocation: Invocation | None = first
        try:
            while invocation is not None:
                reply = await self._endpoint.answer(
                    invocation.question,
                    invocation.headers,
                    b"".join(invocation.chunks),
                    time.perf_counter(),
                )
                self._finish(invocation, reply)
                if self.transport.is_closing():
                    return
                invocation = await self._begun
                self._begun = self.loop.create_future()
        except BaseException:
            self.transport.close()
            raise

    def _finish(self, invocation: Invocation, reply: Reply) -> None:
        """Write an answer in one piece, and wait for the next request."""
        invocation.response_complete = True
        if invocation.disconnected:
            return
        parts = [STATUS_LINE[reply.status]]
        parts += [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        parts.append(reply.shared.text)
        parts += [b"%b: %b\r\n" % header for header in reply.own]
        if not invocation.keep_alive:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", reply.body)
        self.transport.write(b"".join(parts))
        if not invocation.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _plain_question(self) -> Question | None:
        """Return what is asked; None if that is for the usual way to find out, or to refuse."""
        rest = dict(self.headers)
        length = rest.pop(b"content-length", b"")
        token = rest.pop(b"authorization", b"")
        if (
            self._endpoint is None
            or len(rest) + 2 < len(self.headers)
            or not length.isdigit()
            or len(length) > _DIGITS
            or int(length) > BODY_LIMIT
            or self.parser.get_method() != b"POST"
            or self.parser.get_http_version() != "1.1"
            or self.flow.write_paused
            or self._is_crowded()
            or self._is_answering()
        ):
            return None
        table, head = self._endpoint.table, self._head
        if (
            head is None
            or head.table is not table
            or head.url != self.url
            or not hmac.compare_digest(head.token, token)
            or head.rest != rest
        ):
            question = self._admitted(rest)
            if question is None:
                return None
            head = self._head = Head(self.url, token, rest, table, question)
        return head.question

    def _admitted(self, rest: dict[bytes, bytes]) -> Question | None:
        """Look at a head that the last request did not have."""
        found = _PATH.fullmatch(self.url)
        if found is None or self._endpoint is None or not rest.keys().isdisjoint(_NOT_PLAIN):
            return None
        try:
            asked: Question = self._endpoint.question(found[1].decode(), self.headers)
        except HookledgerError:
            return None
        return asked

    def _is_crowded(self) -> bool:
        limit = self.limit_concurrency
        return limit is not None and max(len(self.connections), len(self.tasks)) >= limit

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete


class Invocation:
    """A request in the lane; has what uvicorn's protocol asks of the exchange that goes on."""

    __slots__ = (
        "chunks",
        "disconnected",
        "headers",
        "keep_alive",
        "more_body",
        "question",
        "response_complete",
    )

    message_event = asyncio.Event()
    """Nobody waits for it."""
    response_started = False
    """It is written whole."""

    def __init__(self, question: Question, headers: RawHeaders, *, keep_alive: bool) -> None:
        self.question = question
        self.headers = headers
        self.chunks: list[bytes] = []
        self.keep_alive = keep_alive
        self.more_body = True
        self.disconnected = False
        self.response_complete = False


def lane_protocol(*, header_seconds: float, request_seconds: float) -> type[LaneProtocol]:
    """Return the protocol with these patiences, in seconds."""
    waits = {"header_seconds": header_seconds, "request_seconds": request_seconds}
    return type("HurriedLaneProtocol", (LaneProtocol,), waits)
