"""What every request passes before its route, and every answer after it."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.auth import signed_tokens
from app.web.services import WebServices


class Edge:
    """An ASGI application around the routes."""

    def __init__(self, app: ASGIApp, services: WebServices) -> None:
        self._app = app
        self._desk = services.desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        signed_tokens.set(self._desk)
        await self._app(scope, receive, send)
