"""One request and its answer, for every endpoint but the invocation of a trigger.

In order: who calls, may it, what does it ask, is the table new enough, then the endpoint; errors
become problems here, and each exchange leaves one line in the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.application.invoking.invoke import MIN_POSITION_WAIT
from app.application.ports import HookTable
from app.application.views import ActiveTable, ClientRow
from app.domain.errors import HookledgerError, Rejected
from app.domain.revisions import Position
from app.web.admission.access import note_denied
from app.web.admission.auth import admit
from app.web.admission.idempotency import answered_once
from app.web.protocol.endpoints import Endpoint, Inquiry
from app.web.protocol.errors import Disconnected, NoRoute, NotReached, WrongMethod
from app.web.protocol.limits import min_position, read_body
from app.web.protocol.parameters import parse_query
from app.web.protocol.problems import place, problem_answer, unexpected_answer
from app.web.protocol.rate_limits import address_of
from app.web.protocol.services import WebServices

_log = logging.getLogger("hookledger.web")

ALWAYS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
"""Headers of every answer."""

AnswerError = Callable[[HookledgerError, Scope], Response]
"""Writes an error in the way of the interface that was asked."""


class Exchange:
    """An endpoint as an ASGI application."""

    def __init__(self, endpoint: Endpoint, services: WebServices, openapi: bytes) -> None:
        self._operation = endpoint.operation
        self._handle = endpoint.handle
        self._services = services
        self._openapi = openapi

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        client: ClientRow | None = None
        try:
            if self._operation.scope is not None:
                client = admit(
                    self._services.hooks.table, scope["headers"], *self._operation.scopes
                )
            response = await self._answered(scope, receive, client)
        except Disconnected:
            return
        except HookledgerError as error:
            services = self._services
            note_denied(services.access, services.hooks.table, self._operation, scope, error)
            response = problem_answer(error, scope)
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller gets a problem)
            response = unexpected_answer(error, scope)
        try:
            await reply(response, scope, receive, send)
        finally:
            note(scope, response.status_code, started, client)

    async def _answered(self, scope: Scope, receive: Receive, client: ClientRow | None) -> Response:
        operation = self._operation
        values = parse_query(scope["query_string"], operation.parameters)
        body = await self._body(scope, receive)
        wanted = min_position(scope["headers"]) if operation.positioned else None
        table = await table_at(self._services.hooks, wanted)
        inquiry = Inquiry(
            services=self._services,
            table=table,
            min_position=wanted,
            values=values,
            path=scope["path_params"],
            body=body,
            accept=_accept(scope),
            openapi=self._openapi,
            client=client,
            headers=scope["headers"],
            address=address_of(scope),
            route=f"{operation.method} {operation.path}",
        )

        async def handle() -> Response:
            response = await self._handle(inquiry)
            if operation.positioned:
                response.headers.setdefault("hookledger-position", str(table.position))
            return response

        if client is None:
            return await handle()
        return await answered_once(
            self._services, operation, scope, client.id, body, handle, problem_answer
        )

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Read the body where there may be one; elsewhere nobody looks at it."""
        if self._operation.method == "GET":
            return b""
        body = await read_body(scope["headers"], receive)
        if body and self._operation.body is None:
            raise Rejected("This request takes no body; send none.")
        return body


class ByMethod:
    """One path: the right exchange for the method, and answers to OPTIONS and to wrong methods."""

    def __init__(
        self, exchanges: Mapping[str, ASGIApp], answer_error: AnswerError = problem_answer
    ) -> None:
        self._exchanges = dict(exchanges)
        self._answer_error = answer_error
        if "GET" in self._exchanges:
            self._exchanges["HEAD"] = self._exchanges["GET"]
        self._allowed = (*self._exchanges, "OPTIONS")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._exchanges.get(scope["method"])
        if exchange is not None:
            await exchange(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            response = Response(status_code=204, headers={"allow": ", ".join(self._allowed)})
            await _reply_and_note(response, scope, receive, send)
        else:
            response = self._answer_error(WrongMethod(self._allowed), scope)
            await _reply_and_note(response, scope, receive, send)


def _accept(scope: Scope) -> str:
    return b", ".join(v for name, v in scope["headers"] if name == b"accept").decode("latin-1")


async def table_at(hooks: HookTable, wanted: Position | None) -> ActiveTable:
    """Return the table once it is as new as ``wanted``; raise ``NotReached``."""
    if wanted is not None and not await hooks.wait_for(wanted, timeout=MIN_POSITION_WAIT):
        raise NotReached(wanted, hooks.table.position)
    return hooks.table


async def nothing_here(
    scope: Scope, receive: Receive, send: Send, answer_error: AnswerError = problem_answer
) -> None:
    """Answer a path that no route matches; close what is no HTTP request."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000, "reason": ""})
        return
    error = NoRoute(f"There is no route `{place(scope)[:200]}`.")
    await _reply_and_note(answer_error(error, scope), scope, receive, send)


async def reply(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer; to HEAD its headers only, so that no list is read to be thrown away."""
    response.raw_headers += ALWAYS
    if scope["method"] == "HEAD":
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": response.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": b""})
    else:
        await response(scope, receive, send)


def note(scope: Scope, status: int, started: float, client: ClientRow | None) -> None:
    """Leave a line in the log: never headers, query or body, which may hold what is secret."""
    _log.info(
        "request",
        extra={
            "method": scope["method"],
            "path": place(scope),
            "status": status,
            "ms": round((time.perf_counter() - started) * 1000, 3),
            "client": client.id if client is not None else None,
        },
    )


async def _reply_and_note(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    started = time.perf_counter()
    await reply(response, scope, receive, send)
    note(scope, response.status_code, started, None)
