"""What every request passes before its route, and every answer after it: tokens and rate limits.

Of a class without a limit, as invocations are by default, neither token nor bucket is looked at
here; only the status of the answer is.
"""

from __future__ import annotations

import time

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.application.views import ClientRow
from app.domain.errors import HookledgerError
from app.web.admission.auth import caller, signed_tokens
from app.web.admission.exchange import note, reply
from app.web.management.errors import error_answer
from app.web.oauth.tokens import ISSUE_TOKEN, oauth_answer
from app.web.protocol.errors import TooManyRequests
from app.web.protocol.problems import problem_answer
from app.web.protocol.rate_limits import Allowance, address_of
from app.web.protocol.services import WebServices
from app.web.triggers.invoke import InvokeEndpoint

_UNAUTHENTICATED = 401


class Edge:
    """An ASGI application around the routes."""

    def __init__(self, app: ASGIApp, services: WebServices, invoke: InvokeEndpoint) -> None:
        self._app = app
        self.lane = invoke if services.limits.invocations is None else None
        """Answers invocations that need not pass here, as long as their class has no limit."""
        self._hooks = services.hooks
        self._desk = services.desk
        self._limits = services.limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        signed_tokens.set(self._desk)
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowance, client = self._charged(scope)
        if allowance is not None and allowance.wait:
            await _refuse(allowance, client, scope, receive, send)
            return
        refused = False

        async def tell(message: Message) -> None:
            nonlocal allowance, refused
            if refused:
                return
            if message["type"] == "http.response.start":
                if message["status"] == _UNAUTHENTICATED and self._limits.failures is not None:
                    allowance = self._limits.failures.take(address_of(scope))
                    if allowance.wait:
                        refused = True
                        await _refuse(allowance, None, scope, receive, send)
                        return
                if allowance is not None:
                    message["headers"] = [*message.get("headers", ()), *allowance.headers]
            await send(message)

        await self._app(scope, receive, tell)

    def _charged(self, scope: Scope) -> tuple[Allowance | None, ClientRow | None]:
        """Take from the bucket of the calling client; who is not known, the route tells."""
        buckets = self._limits.of(scope)
        if buckets is None:
            return None, None
        try:
            client = caller(self._hooks.table, scope["headers"])
        except HookledgerError:
            return None, None
        return buckets.take(client.id), client


async def _refuse(
    allowance: Allowance, client: ClientRow | None, scope: Scope, receive: Receive, send: Send
) -> None:
    started = time.perf_counter()
    response = _too_many(TooManyRequests(allowance), scope)
    await reply(response, scope, receive, send)
    note(scope, response.status_code, started, client)


def _too_many(error: TooManyRequests, scope: Scope) -> Response:
    """Refuse in the form that the clients of the path can read."""
    if scope["path"].startswith("/api/v2/"):
        return error_answer(error, scope)
    if scope["path"] == ISSUE_TOKEN.path:
        return oauth_answer(error, scope)
    return problem_answer(error, scope)
