"""Telling a caller that it asks too often, in the form that the clients of the path can read."""

from __future__ import annotations

import orjson
from starlette.responses import Response
from starlette.types import Scope

from app.web.management.errors import error_answer
from app.web.protocol.endpoints import JSON
from app.web.protocol.errors import TooManyRequests
from app.web.protocol.problem_types import problem_answer

_TOO_MANY = 429


def too_many_answer(error: TooManyRequests, scope: Scope) -> Response:
    """Answer as Auth0 under ``/api/v2``, as OAuth at the token endpoint, else with a problem."""
    response = _answer(error, scope)
    response.raw_headers += error.allowance.headers
    return response


def _answer(error: TooManyRequests, scope: Scope) -> Response:
    if scope["path"].startswith("/api/v2/"):
        return error_answer(error, scope)
    if scope["path"] == "/oauth/token":
        headers = {"retry-after": str(error.retry_after)}
        oauth = {"error": "too_many_requests", "error_description": error.message}
        return Response(orjson.dumps(oauth), _TOO_MANY, headers, media_type=JSON)
    return problem_answer(error, scope)
