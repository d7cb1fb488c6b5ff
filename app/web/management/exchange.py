"""One request to the Management API and its answer.

The same order as everywhere (who calls, may it, what does it ask, is the table new enough), with
bodies and errors as Auth0's clients know them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.application.views import ActiveTable, ClientRow
from app.domain.aggregates import Meta
from app.domain.errors import HookledgerError, Rejected
from app.domain.revisions import Position
from app.web.admission.access import note_denied
from app.web.admission.auth import admit
from app.web.admission.exchange import note, reply, table_at
from app.web.admission.idempotency import answered_once
from app.web.management.bodies import BODY_LIMIT, parse_body
from app.web.management.errors import (
    MEDIA_TYPE,
    InvalidBody,
    InvalidQuery,
    error_answer,
    problems_of,
    unexpected_answer,
)
from app.web.protocol.endpoints import Operation
from app.web.protocol.errors import Disconnected
from app.web.protocol.formats import json_text
from app.web.protocol.limits import min_position, read_body
from app.web.protocol.parameters import parse_query
from app.web.protocol.services import WebServices

BASE = "/api/v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementRequest:
    """A request that was found to be in order."""

    services: WebServices
    table: ActiveTable
    client: ClientRow
    values: Mapping[str, Any]
    """Query parameters, parsed."""
    path: Mapping[str, str]
    """Parts of the path."""
    body: Any
    """Parsed; None where there is none, or none is looked at."""

    def meta(self, reason: str | None = None) -> Meta:
        """Say that the client does it, by this request."""
        return Meta(
            actor=f"client:{self.client.id}",
            origin="api",
            correlation_id=secrets.token_hex(8),
            reason=reason,
        )


@dataclass(frozen=True, slots=True)
class ManagementEndpoint:
    """An operation and what answers it."""

    operation: Operation
    handle: Callable[[ManagementRequest], Awaitable[Response]]
    """Raises ``HookledgerError``."""


def answer(value: Any, status: int = 200, position: Position | None = None) -> Response:
    """Answer with JSON; ``position`` is that of what was written."""
    headers = {} if position is None else {"hookledger-position": str(position)}
    return Response(json_text(value), status, headers, media_type=MEDIA_TYPE)


def no_content(position: Position) -> Response:
    """Answer that it is done."""
    return Response(status_code=204, headers={"hookledger-position": str(position)})


class ManagementExchange:
    """An endpoint as an ASGI application."""

    def __init__(self, endpoint: ManagementEndpoint, services: WebServices) -> None:
        self._operation = endpoint.operation
        self._handle = endpoint.handle
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        client: ClientRow | None = None
        try:
            table = self._services.hooks.table
            client = admit(table, scope["headers"], *self._operation.scopes)
            response = await self._answered(client, scope, receive)
        except Disconnected:
            return
        except HookledgerError as error:
            services = self._services
            note_denied(services.access, services.hooks.table, self._operation, scope, error)
            response = error_answer(error, scope)
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller gets an answer)
            response = unexpected_answer(error, scope)
        try:
            await reply(response, scope, receive, send)
        finally:
            note(scope, response.status_code, started, client)

    async def _answered(self, client: ClientRow, scope: Scope, receive: Receive) -> Response:
        values = self._values(scope)
        body = await self._body(scope, receive)
        parsed = parse_body(scope["headers"], body) if self._operation.body is not None else None
        table = await table_at(self._services.hooks, min_position(scope["headers"]))
        request = ManagementRequest(
            services=self._services,
            table=table,
            client=client,
            values=values,
            path=scope["path_params"],
            body=parsed,
        )

        async def handle() -> Response:
            try:
                response = await self._handle(request)
            except InvalidBody:
                raise
            except Rejected as refusal:  # what the use case has to say, it says of the body
                raise InvalidBody(problems_of(refusal)) from refusal
            response.headers.setdefault("hookledger-position", str(table.position))
            return response

        return await answered_once(
            self._services, self._operation, scope, client.id, body, handle, error_answer
        )

    def _values(self, scope: Scope) -> Mapping[str, Any]:
        try:
            return parse_query(scope["query_string"], self._operation.parameters)
        except Rejected as refusal:
            raise InvalidQuery(problems_of(refusal)) from refusal

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Read the body where one is expected; elsewhere clients send ``null`` or ``{}``."""
        if self._operation.body is None:
            return b""
        return await read_body(scope["headers"], receive, BODY_LIMIT)
