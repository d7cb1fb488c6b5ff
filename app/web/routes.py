"""Every route of the server, and the ASGI application made of them.

No middleware: each endpoint guards itself, so that the hot path pays for nothing it does not use.
"""

from __future__ import annotations

import orjson
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from app.web import history, hooks, journal, operations, runner, sync
from app.web.endpoints import Endpoint, Operation
from app.web.exchange import ByMethod, Exchange, nothing_here
from app.web.invoke import INVOKE, InvokeEndpoint
from app.web.openapi import openapi_document
from app.web.services import WebServices

ENDPOINTS: tuple[Endpoint, ...] = (
    *hooks.ENDPOINTS,
    *runner.ENDPOINTS,
    *history.ENDPOINTS,
    *sync.ENDPOINTS,
    *journal.ENDPOINTS,
    *operations.ENDPOINTS,
)

OPERATIONS: tuple[Operation, ...] = (INVOKE, *(endpoint.operation for endpoint in ENDPOINTS))
"""All that is served; the first is looked for first."""


def build_app(services: WebServices) -> Router:
    """Make the application; needs no lifespan of its own."""
    openapi = orjson.dumps(openapi_document(OPERATIONS, services.version))
    by_path: dict[str, dict[str, ASGIApp]] = {
        INVOKE.path: {INVOKE.method: InvokeEndpoint(services)}
    }
    for endpoint in ENDPOINTS:
        operation = endpoint.operation
        exchange = Exchange(endpoint, services, openapi)
        by_path.setdefault(operation.path, {})[operation.method] = exchange
    routes = [Route(path, ByMethod(exchanges)) for path, exchanges in by_path.items()]
    return Router(routes, redirect_slashes=False, default=nothing_here)
