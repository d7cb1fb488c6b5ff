"""Every route of the server, and the ASGI application made of them.

Each endpoint guards itself, so that the hot path pays for nothing it does not use; before them all
stands only the edge. For the same reason an invocation is recognised before Starlette looks for a
route.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from starlette.routing import Route, Router, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web import operations
from app.web.admission import access
from app.web.admission.exchange import ByMethod, Exchange, nothing_here
from app.web.dashboard.site import Dashboard, is_browser
from app.web.edge import Edge
from app.web.history import audit_log, time_travel, transparency, verifications
from app.web.management import clients as management_clients
from app.web.management import hooks as management_hooks
from app.web.management import secrets as management_secrets
from app.web.management.errors import error_answer
from app.web.management.exchange import BASE, ManagementEndpoint, ManagementExchange
from app.web.oauth import keys
from app.web.oauth import tokens as oauth
from app.web.oauth.tokens import ISSUE_TOKEN, TokenEndpoint
from app.web.observing import invocations, journal, log_stream
from app.web.openapi import openapi_document
from app.web.protocol.endpoints import Endpoint, Operation
from app.web.protocol.problems import problem_answer
from app.web.protocol.services import WebServices
from app.web.syncing import actions as sync_actions
from app.web.syncing import commits, sync
from app.web.syncing.webhooks import RECEIVE_WEBHOOK, WebhookEndpoint
from app.web.triggers import hooks, runner
from app.web.triggers.invoke import INVOKE, InvokeEndpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *hooks.ENDPOINTS,
    *runner.ENDPOINTS,
    *audit_log.ENDPOINTS,
    *time_travel.ENDPOINTS,
    *transparency.ENDPOINTS,
    *verifications.ENDPOINTS,
    *sync.ENDPOINTS,
    *commits.ENDPOINTS,
    *sync_actions.ENDPOINTS,
    *journal.ENDPOINTS,
    *log_stream.ENDPOINTS,
    *invocations.ENDPOINTS,
    *access.ENDPOINTS,
    *oauth.ENDPOINTS,
    *keys.ENDPOINTS,
    *operations.ENDPOINTS,
)

MANAGEMENT: tuple[ManagementEndpoint, ...] = (
    *management_hooks.ENDPOINTS,
    *management_secrets.ENDPOINTS,
    *management_clients.ENDPOINTS,
)
"""Auth0's Management API v2, which has errors and habits of its own."""

OPERATIONS: tuple[Operation, ...] = (
    INVOKE,
    ISSUE_TOKEN,
    RECEIVE_WEBHOOK,
    *(endpoint.operation for endpoint in ENDPOINTS),
    *(endpoint.operation for endpoint in MANAGEMENT),
)
"""All that is served; the first is looked for first."""


def build_app(services: WebServices) -> Edge:
    """Make the application; needs no lifespan of its own."""
    router = build_router(services)
    return Edge(router, services, router.invoke)


def build_router(services: WebServices) -> InvokeFirst:
    """Make the application without its edge."""
    openapi = orjson.dumps(openapi_document(OPERATIONS, services.version))
    invoke = InvokeEndpoint(services)
    by_path: dict[str, dict[str, ASGIApp]] = {
        INVOKE.path: {INVOKE.method: invoke},
        ISSUE_TOKEN.path: {ISSUE_TOKEN.method: TokenEndpoint(services)},
        RECEIVE_WEBHOOK.path: {RECEIVE_WEBHOOK.method: WebhookEndpoint(services)},
    }
    for endpoint in ENDPOINTS:
        operation = endpoint.operation
        exchange = Exchange(endpoint, services, openapi)
        by_path.setdefault(operation.path, {})[operation.method] = exchange
    dashboard = Dashboard(services)
    by_path["/"]["GET"] = dashboard.home(by_path["/"]["GET"])
    routes = [Route(path, ByMethod(exchanges)) for path, exchanges in by_path.items()]
    routes += _management_routes(services)
    routes += dashboard.routes()
    return InvokeFirst(invoke, routes, dashboard)


class InvokeFirst(Router):
    """Hands invocations straight to their endpoint, and looks for a route for everything else."""

    def __init__(self, invoke: InvokeEndpoint, routes: list[Route], dashboard: Dashboard) -> None:
        super().__init__(routes, redirect_slashes=False, default=self._nothing_here)
        self.invoke = invoke
        self._dashboard = dashboard
        self._match = compile_path(INVOKE.path)[0].match

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == INVOKE.method:
            found = self._match(scope["path"])
            if found is not None:
                scope["path_params"] = found.groupdict()
                await self.invoke(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    async def _nothing_here(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer_error = problem_answer
        if scope["path"].startswith(f"{BASE}/"):
            answer_error = error_answer
        elif scope["type"] == "http" and is_browser(scope):
            answer_error = self._dashboard.answer_error
        await nothing_here(scope, receive, send, answer_error)


def _management_routes(services: WebServices) -> Iterator[Route]:
    by_path: dict[str, dict[str, ASGIApp]] = {}
    for endpoint in MANAGEMENT:
        operation, exchange = endpoint.operation, ManagementExchange(endpoint, services)
        by_path.setdefault(operation.path, {})[operation.method] = exchange
    for path, exchanges in by_path.items():
        yield Route(path, ByMethod(exchanges, error_answer))
