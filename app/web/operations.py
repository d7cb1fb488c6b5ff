"""For those who run the server: health, readiness, figures, and what is served at all.

Figures name triggers and their load, so they need a client with ``read:invocations``; the rest is
asked by probes and by people who have no token yet.
"""

from __future__ import annotations

import anyio.to_thread
from starlette.responses import Response

from app.domain.errors import NotFound
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer
from app.web.protocol.parameters import path_parameter
from app.web.protocol.problem_types import PROBLEM_TYPES
from app.web.trigger_paths import with_triggers

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def index(inquiry: Inquiry) -> Response:
    """Answer where to go on."""
    return json_answer(
        {
            "name": "hookledger",
            "version": inquiry.services.version,
            "documentation": "/openapi.json",
            "health": "/healthz",
            "readiness": "/readyz",
            "metrics": "/metrics",
        }
    )


async def health(inquiry: Inquiry) -> Response:  # noqa: ARG001 (that it answers is the answer)
    """Answer while the process does."""
    return json_answer({"status": "ok"})


async def ready(inquiry: Inquiry) -> Response:
    """Answer each condition; 503 unless all hold. Never waits behind queries."""
    found = await anyio.to_thread.run_sync(inquiry.services.readiness)
    checks = [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in found.checks]
    return json_answer({"ready": found.ready, "checks": checks}, 200 if found.ready else 503)


async def metrics(inquiry: Inquiry) -> Response:
    """Answer figures for Prometheus."""
    figures = await anyio.to_thread.run_sync(inquiry.services.metrics)
    return Response(figures, media_type=METRICS_TYPE)


async def openapi(inquiry: Inquiry) -> Response:
    """Answer this interface's description."""
    return Response(with_triggers(inquiry.openapi, inquiry.table), media_type=JSON)


async def problem_type(inquiry: Inquiry) -> Response:
    """Explain a problem's ``type``."""
    kind = PROBLEM_TYPES.get(inquiry.path["slug"])
    if kind is None:
        raise NotFound(f"No problem has this type; known are: {', '.join(PROBLEM_TYPES)}.")
    return json_answer(
        {"type": kind.uri, "title": kind.title, "status": kind.status, "remedy": kind.remedy}
    )


ENDPOINTS = (
    Endpoint(
        Operation(
            id="showIndex",
            method="GET",
            path="/",
            summary="Say what is served here",
            group="Server",
            scope=None,
            answers={200: Answered("Name, version and where to go on.", {JSON: "Index"})},
        ),
        index,
    ),
    Endpoint(
        Operation(
            id="showHealth",
            method="GET",
            path="/healthz",
            summary="Say whether the process answers",
            group="Server",
            scope=None,
            answers={200: Answered("It does.", {JSON: "Health"})},
        ),
        health,
    ),
    Endpoint(
        Operation(
            id="showReadiness",
            method="GET",
            path="/readyz",
            summary="Say whether the server can answer truthfully",
            group="Server",
            scope=None,
            answers={
                200: Answered("It can.", {JSON: "Readiness"}),
                503: Answered("It cannot; the checks say why.", {JSON: "Readiness"}),
            },
        ),
        ready,
    ),
    Endpoint(
        Operation(
            id="showMetrics",
            method="GET",
            path="/metrics",
            summary="Show figures for Prometheus",
            group="Server",
            scope="read:invocations",
            answers={200: Answered("Prometheus' text format.", {METRICS_TYPE: "Text"})},
        ),
        metrics,
    ),
    Endpoint(
        Operation(
            id="showOpenapi",
            method="GET",
            path="/openapi.json",
            summary="Describe this interface (OpenAPI 3.1)",
            group="Server",
            scope=None,
            answers={200: Answered("The document.", {JSON: "Document"})},
        ),
        openapi,
    ),
    Endpoint(
        Operation(
            id="showProblemType",
            method="GET",
            path="/problems/{slug}",
            summary="Explain a type of problem",
            group="Server",
            scope=None,
            parameters=(path_parameter("slug", "The last part of a problem's `type`."),),
            answers={200: Answered("The type.", {JSON: "ProblemType"})},
            problems=("not-found",),
        ),
        problem_type,
    ),
)
