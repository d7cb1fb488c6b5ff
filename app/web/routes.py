"""Every route of the server, and the ASGI application made of them.

Each endpoint guards itself, so that the hot path pays for nothing it does not use; before them all
stands only the edge.
"""

from __future__ import annotations

import orjson
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from app.web import history, hooks, journal, oauth, operations, sync
from app.web.edge import Edge
from app.web.endpoints import Endpoint, Operation
from app.web.exchange import ByMethod, Exchange, nothing_here
from app.web.invoke import INVOKE, InvokeEndpoint
from app.web.oauth import ISSUE_TOKEN, TokenEndpoint
from app.web.openapi import openapi_document
from app.web.services import WebServices

ENDPOINTS: tuple[Endpoint, ...] = (
    *hooks.ENDPOINTS,
    *history.ENDPOINTS,
    *sync.ENDPOINTS,
    *journal.ENDPOINTS,
    *oauth.ENDPOINTS,
    *operations.ENDPOINTS,
)

OPERATIONS: tuple[Operation, ...] = (
    INVOKE,
    ISSUE_TOKEN,
    *(endpoint.operation for endpoint in ENDPOINTS),
)
"""All that is served; the first is looked for first."""


def build_app(services: WebServices) -> Edge:
    """Make the application; needs no lifespan of its own."""
    return Edge(build_router(services), services)


def build_router(services: WebServices) -> Router:
    """Make the application without its edge."""
    openapi = orjson.dumps(openapi_document(OPERATIONS, services.version))
    by_path: dict[str, dict[str, ASGIApp]] = {
        INVOKE.path: {INVOKE.method: InvokeEndpoint(services)},
        ISSUE_TOKEN.path: {ISSUE_TOKEN.method: TokenEndpoint(services)},
    }
    for endpoint in ENDPOINTS:
        operation = endpoint.operation
        exchange = Exchange(endpoint, services, openapi)
        by_path.setdefault(operation.path, {})[operation.method] = exchange
    routes = [Route(path, ByMethod(exchanges)) for path, exchanges in by_path.items()]
    return Router(routes, redirect_slashes=False, default=nothing_here)
