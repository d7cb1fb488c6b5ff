"""The OpenAPI 3.1 document, made from the operations that are served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.domain.callers.client import SCOPES
from app.web.admission.idempotency import KEY, MAX_KEY, REPLAYED
from app.web.management.schemas import MANAGEMENT_SCHEMAS
from app.web.protocol.endpoints import JSON, Operation
from app.web.protocol.limits import MIN_POSITION
from app.web.protocol.parameters import Parameter
from app.web.protocol.problem_types import PROBLEM_TYPES
from app.web.protocol.problems import MEDIA_TYPE
from app.web.schemas.components import SCHEMAS
from app.web.schemas.parts import reference

Document = dict[str, Any]

HEADERS: Mapping[str, Mapping[str, Any]] = {
    "Hookledger-Position": {
        "description": "Position of the event that made what ran, or of the newest in a list.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Hookledger-Invocation": {
        "description": "Id of this invocation.",
        "schema": {"type": "string"},
    },
    "Hookledger-Hook": {"description": "Name of the hook.", "schema": {"type": "string"}},
    "Hookledger-Revision": {
        "description": "Commit that last changed what ran; absent if that was not git.",
        "schema": {"type": "string"},
    },
    "Server-Timing": {
        "description": "Milliseconds until the hook started, that it ran, and in all.",
        "schema": {"type": "string"},
    },
    "Hookledger-Skipped": {
        "description": "Why no hook ran though one is enabled.",
        "schema": {"type": "string"},
    },
    "Hookledger-Failed-Open": {
        "description": "The failure that the trigger's `on_error` let pass; no effects then.",
        "schema": {"type": "string"},
    },
    REPLAYED: {
        "description": "`true`: the answer to an earlier request with this idempotency key.",
        "schema": {"type": "string", "const": "true"},
    },
    "Content-Disposition": {
        "description": "A file's name, for NDJSON and CSV.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "What is asked of the caller.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds to wait; absent if a person must act first.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Limit": {
        "description": "Requests that may come at once.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "X-RateLimit-Remaining": {
        "description": "How many of them may still come.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Reset": {
        "description": "Seconds since 1970 when there is one more.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Allow": {"description": "Methods of this path.", "schema": {"type": "string"}},
}
"""Headers of answers, by name."""

_DESCRIPTION = (
    "Invoke triggers; read hooks, history and what hooks did. Everything that is not a hook's "
    "answer is a problem document (RFC 9457), whose `type` a program may rely on."
)
RATE_LIMIT_HEADERS = (
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
)
"""Of a refusal; the last three of every answer to a client whose requests are limited."""
_PROBLEM_HEADERS = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    405: ("Allow",),
    429: RATE_LIMIT_HEADERS,
    503: ("Retry-After",),
}


def openapi_document(operations: Iterable[Operation], version: str) -> Document:
    """Describe every operation; ``version`` is the server's."""
    paths: dict[str, dict[str, Any]] = {}
    groups: dict[str, None] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
        groups[operation.group] = None
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hookledger",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": group} for group in groups],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **MANAGEMENT_SCHEMAS},
            "headers": dict(HEADERS),
            "responses": {_name(status): _problem(status) for status in sorted(_statuses())},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"An access token. Scopes: {_scopes()}.",
                }
            },
        },
    }


def problems_of(operation: Operation) -> frozenset[str]:
    """Return the slugs of every problem that an operation may answer with."""
    if not operation.problem_documents:
        return frozenset()
    return frozenset({"internal", "error", *operation.problems, *_implied(operation)})


def _implied(operation: Operation) -> Iterator[str]:
    yield "rejected"  # every query string is checked
    if operation.scope is not None:
        yield from ("unauthenticated", "forbidden", "too-many-requests")
    if operation.method == "POST":
        yield from ("too-large", "too-slow")
    if operation.positioned:
        yield "transient"
    if operation.repeatable:
        yield from ("idempotency-key-in-use", "idempotency-key-reused")


def _described(operation: Operation) -> Document:
    described: Document = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.group],
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": _responses(operation),
        "security": [{"bearer": [scope]} for scope in operation.scopes],
    }
    if operation.description:
        described["description"] = operation.description
    if operation.positioned:
        described["parameters"].append(_MIN_POSITION)
    if operation.repeatable:
        described["parameters"].append(_IDEMPOTENCY_KEY)
    if operation.body is not None:
        described["requestBody"] = _body(operation, operation.body)
    return described


def _body(operation: Operation, schema: str) -> Document:
    unless = "" if operation.body_types == (JSON,) else " unless that is a form's"
    return {
        "description": f"At most {operation.body_limit} bytes; read as JSON whatever its content "
        f"type{unless}.",
        "required": operation.body_required,
        "content": {each: {"schema": reference(schema)} for each in operation.body_types},
    }


def _parameter(parameter: Parameter) -> Document:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required or parameter.place == "path",
        "schema": dict(parameter.schema),
    }


_MIN_POSITION: Document = {
    "name": MIN_POSITION,
    "in": "header",
    "description": "Wait, up to 5 seconds, until the server is at least at this position.",
    "required": False,
    "schema": {"type": "integer", "minimum": 0},
}


_IDEMPOTENCY_KEY: Document = {
    "name": KEY,
    "in": "header",
    "description": "A new one for each request, the same for its repetitions: they get the first "
    "answer again, for 24 hours.",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
}


def _responses(operation: Operation) -> Document:
    responses: Document = {}
    replayed = (REPLAYED,) if operation.repeatable else ()
    for status, answered in operation.answers.items():
        responses[str(status)] = {
            "description": answered.description,
            "headers": _headers((*answered.headers, *replayed)),
            "content": {
                media: {"schema": reference(schema)} for media, schema in answered.content.items()
            },
        }
    for status in sorted({PROBLEM_TYPES[slug].status for slug in problems_of(operation)}):
        if str(status) in responses:
            content = responses[str(status)]["content"]
            content[MEDIA_TYPE] = {"schema": reference("Problem")}
        else:
            responses[str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
    return responses


def _problem(status: int) -> Document:
    kinds = [kind for kind in PROBLEM_TYPES.values() if kind.status == status]
    listed = "; ".join(f"`{kind.uri}`: {kind.title}" for kind in kinds)
    return {
        "description": f"{listed}.",
        "headers": _headers(_PROBLEM_HEADERS.get(status, ())),
        "content": {MEDIA_TYPE: {"schema": reference("Problem")}},
    }


def _headers(names: Sequence[str]) -> Mapping[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _statuses() -> set[int]:
    return {kind.status for kind in PROBLEM_TYPES.values()}


def _name(status: int) -> str:
    return f"Problem{status}"


def _scopes() -> str:
    return ", ".join(f"`{scope}` ({allows})" for scope, allows in SCOPES.items())
