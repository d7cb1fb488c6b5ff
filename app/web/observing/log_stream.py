"""Live logs and live invocations: Server-Sent Events (WHATWG HTML, section 9.2).

A stream begins with ``open``, whose id is the place to resume from, and then holds an event for
each line or record, with its number as id: a client that comes back with ``Last-Event-ID`` misses
nothing that is still stored. ``gap`` says what it misses; ``end`` says why nothing more comes. A
line that begins with ``:`` is there to keep the connection alive; the id before it is as far as
there is nothing for the reader, who may then come back later than it could with its last event's.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar, get_args

from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Send

from app.application.journal_views import StoredExecution, StoredLine
from app.application.observing.following import (
    ExecutionFilter,
    Gap,
    LineFilter,
    StoredExecutions,
    StoredItems,
    StoredLines,
    follow,
)
from app.application.observing.live import Chunk, Feed, Numbered
from app.domain.errors import Forbidden, HookledgerError, Problem, Rejected, Unauthenticated
from app.domain.outcomes import Level, OutcomeKind
from app.web.admission.auth import admit
from app.web.observing.journal import (
    LINE_TEXT,
    UNSUCCESSFUL,
    check_trigger,
    hook_id_of,
    line_members,
    record_members,
)
from app.web.protocol.endpoints import Answered, Endpoint, Inquiry, Operation
from app.web.protocol.formats import json_text
from app.web.protocol.limits import Headers, only
from app.web.protocol.parameters import Parameter, choice, text
from app.web.protocol.services import WebServices

EVENTS = "text/event-stream"
SCOPE = "read:invocations"
TICK_SECONDS = 1.0
"""How often a silent stream looks whether its token is still good."""
HEARTBEAT_SECONDS = 15.0
"""Proxies close what is silent for a minute, some for half of one."""
RETRY_MILLISECONDS = 2_000
"""How long clients are asked to wait before they come back."""

STALLED_SECONDS = 60.0
"""How long a client may read nothing of what was sent: its seat is for one who does."""

N = TypeVar("N", bound=Numbered)

_NUMBER = re.compile(r"[0-9]{1,18}\Z")


async def stream_lines(inquiry: Inquiry) -> Response:
    """Answer log lines as they are stored."""
    values = inquiry.values
    check_trigger(inquiry.table, values["trigger"])
    wanted = LineFilter(
        invocation_id=values["invocation"],
        hook_id=hook_id_of(inquiry.table, values["hook"]),
        trigger=values["trigger"],
        level=values["level"],
        text=values["text"],
    )
    services = inquiry.services
    return _stream(
        inquiry, services.live.lines, wanted, StoredLines(services.journal), _write_lines
    )


async def stream_invocations(inquiry: Inquiry) -> Response:
    """Answer execution records as they are stored."""
    values = inquiry.values
    check_trigger(inquiry.table, values["trigger"])
    wanted = ExecutionFilter(
        trigger=values["trigger"],
        hook_id=hook_id_of(inquiry.table, values["hook"]),
        kind=OutcomeKind(values["kind"]) if values["kind"] is not None else None,
        caller=values["caller"],
        unsuccessful=values["unsuccessful"],
    )
    services = inquiry.services
    stored = StoredExecutions(services.journal)
    return _stream(inquiry, services.live.executions, wanted, stored, _write_executions)


class EventStream(StreamingResponse):
    """A stream that gives up on a client which reads nothing for a minute."""

    async def stream_response(self, send: Send) -> None:
        """Send all there is (Starlette); the server then cuts the connection."""

        async def patiently(message: Message) -> None:
            async with asyncio.timeout(STALLED_SECONDS):
                await send(message)

        with contextlib.suppress(TimeoutError):
            await super().stream_response(patiently)


def stream_answer(
    services: WebServices,
    feed: Feed[N],
    wanted: LineFilter | ExecutionFilter,
    stored: StoredItems[N],
    *,
    after: int | None,
    reader: str,
    write: Callable[[Chunk[N]], bytes],
    admit_still: Callable[[], Awaitable[None]],
) -> Response:
    """Answer a stream to ``reader``, in whose name a seat is taken; raise ``Transient`` for none.

    It begins behind the item ``after``, or now. ``admit_still`` is asked again and again, and
    raises ``Unauthenticated`` or ``Forbidden`` once the reader may not read on.
    """
    seats = services.live.seats
    seats.check(reader)

    async def events() -> AsyncIterator[bytes]:
        with seats.sit(reader):
            newest = await services.read(stored.newest)
            # A number from another journal: whoever came back with it again would miss things.
            begin = newest if after is None else min(after, newest)
            yield b"retry: %d\n" % RETRY_MILLISECONDS + event("open", {"after": begin}, begin)
            last = time.monotonic()
            reason = "shutdown"
            following = follow(
                feed, wanted, stored=stored, read=services.read, after=begin, tick=TICK_SECONDS
            )
            try:
                async with contextlib.aclosing(following):
                    async for found in following:
                        place = max(begin, feed.reached)  # asked before others have their turn
                        await admit_still()
                        if isinstance(found, Gap):
                            yield event("gap", {"dropped": found.dropped, "reason": found.reason})
                        elif found is not None:
                            yield write(found)
                        elif time.monotonic() - last >= HEARTBEAT_SECONDS:
                            yield b"id: %d\n: still here\n\n" % place
                        else:
                            continue
                        last = time.monotonic()
            except (Unauthenticated, Forbidden):
                reason = "token"
            except HookledgerError:
                reason = "error"
            yield event("end", {"reason": reason})

    headers = {"x-accel-buffering": "no"}  # nginx would hold lines back
    return EventStream(events(), headers=headers, media_type=EVENTS)


def resumed_from(headers: Headers, given: int | None) -> int | None:
    """Return the number behind which the stream begins; the header wins, being the newer."""
    header = only(headers, b"last-event-id")
    if header is None:
        return given
    number = header.decode("latin-1")
    if not _NUMBER.match(number):
        message = "must be the id of an event of this stream"
        raise Rejected(
            "The stream cannot be resumed.", problems=[Problem(message, key="Last-Event-ID")]
        )
    return int(number)


def event(name: str, data: Mapping[str, Any], number: int | None = None) -> bytes:
    """Write an event; ``number`` is the place to resume from."""
    head = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (head, name.encode(), json_text(data))


def _stream(
    inquiry: Inquiry,
    feed: Feed[N],
    wanted: LineFilter | ExecutionFilter,
    stored: StoredItems[N],
    write: Callable[[Sequence[N]], bytes],
) -> Response:
    async def admit_still() -> None:
        admit(inquiry.services.hooks.table, inquiry.headers, SCOPE)

    return stream_answer(
        inquiry.services,
        feed,
        wanted,
        stored,
        after=resumed_from(inquiry.headers, inquiry.values["after"]),
        reader=inquiry.client.id if inquiry.client is not None else "",
        write=lambda chunk: chunk.written(write),
        admit_still=admit_still,
    )


def _write_lines(lines: Sequence[StoredLine]) -> bytes:
    return b"".join(event("line", line_members(line), line.sequence) for line in lines)


def _write_executions(executions: Sequence[StoredExecution]) -> bytes:
    return b"".join(
        event("invocation", record_members(each.record), each.sequence) for each in executions
    )


def _number(given: str) -> int:
    if not _NUMBER.match(given):
        raise ValueError("must be the id of an event of this stream")
    return int(given)


AFTER = Parameter(
    "after",
    "Id of an event: begin behind it. `Last-Event-ID` does the same, and wins.",
    {"type": "integer", "minimum": 0},
    _number,
)
_DESCRIPTION = (
    "Server-Sent Events. `id` is the place to resume from, with `Last-Event-ID` or `after`; "
    "without either the stream begins now. `gap` says how many were dropped, because the reader "
    "was too slow or came back too late; `end` that the server stops, or that the token expired or "
    "was revoked."
)

ENDPOINTS = (
    Endpoint(
        Operation(
            id="streamLogLines",
            method="GET",
            path="/v1/logs/stream",
            summary="Follow what hooks write",
            description=_DESCRIPTION,
            group="Journal",
            scope=SCOPE,
            parameters=(
                text("invocation", "Id of an invocation, from `Hookledger-Invocation`."),
                text("hook", "Name of a hook, or its id."),
                text("trigger", "Id of a trigger."),
                choice("level", "Only lines of this level.", get_args(Level)),
                LINE_TEXT,
                AFTER,
            ),
            answers={200: Answered("Events, without end.", {EVENTS: "Text"})},
            problems=("not-found", "transient"),
        ),
        stream_lines,
    ),
    Endpoint(
        Operation(
            id="streamInvocations",
            method="GET",
            path="/v1/invocations/stream",
            summary="Follow finished invocations",
            description=_DESCRIPTION,
            group="Journal",
            scope=SCOPE,
            parameters=(
                text("trigger", "Id of a trigger."),
                text("hook", "Name of a hook, or its id."),
                choice("kind", "How it ended.", tuple(kind.value for kind in OutcomeKind)),
                UNSUCCESSFUL,
                text("caller", "Id of the client that called."),
                AFTER,
            ),
            answers={200: Answered("Events, without end.", {EVENTS: "Text"})},
            problems=("not-found", "transient"),
        ),
        stream_invocations,
    ),
)
