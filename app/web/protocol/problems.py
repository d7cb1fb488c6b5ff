"""Errors as RFC 9457 problem documents.

A problem is always about the platform or the request. What a hook answers, errors of its own
included, travels in the envelope and never comes through here.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response
from starlette.types import Scope

from app.application.callers.answer_once import KeyInUse
from app.domain.errors import HookledgerError, Problem, Transient, Unauthenticated
from app.web.protocol.errors import MissingScope, MissingToken, TooManyRequests, WrongMethod
from app.web.protocol.problem_types import PROBLEM_TYPES, ProblemType, type_of

_log = logging.getLogger("hookledger.web")

MEDIA_TYPE = "application/problem+json"
OVERLOADED_RETRY_SECONDS = 1


def problem_answer(error: HookledgerError, scope: Scope) -> Response:
    """Answer with what the domain, or the reading of the request, has to complain of."""
    members = {"problems": [described(problem) for problem in error.problems]}
    return render(
        type_of(error),
        detail=error.message,
        instance=place(scope),
        headers=headers_of(error),
        members=members if error.problems else {},
    )


def unexpected_answer(error: Exception, scope: Scope) -> Response:
    """Answer what nobody foresaw with a number by which the log can be searched."""
    return render(
        PROBLEM_TYPES["internal"],
        detail="The cause is in the server's log, under this correlation id.",
        instance=place(scope),
        headers={},
        members={"correlation_id": log_unexpected(error, scope)},
    )


def log_unexpected(error: Exception, scope: Scope) -> str:
    """Log what nobody foresaw; return the number by which it can be found."""
    correlation_id = secrets.token_hex(8)
    _log.error(
        "unexpected_error",
        exc_info=error,
        extra={
            "correlation_id": correlation_id,
            "method": scope["method"],
            "path": place(scope),
        },
    )
    return correlation_id


def render(
    kind: ProblemType,
    *,
    detail: str,
    instance: str,
    headers: Mapping[str, str],
    members: Mapping[str, Any],
) -> Response:
    """Write the document; ``members`` extend it (RFC 9457, section 3.2)."""
    document = {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": instance,
        "remedy": kind.remedy,
        **members,
    }
    body = orjson.dumps(document, option=orjson.OPT_UTC_Z)
    return Response(body, kind.status, headers, media_type=MEDIA_TYPE)


def described(problem: Problem) -> dict[str, Any]:
    """Return the members of one complaint; None where its place is not known."""
    return {
        "message": problem.message,
        "file": problem.file,
        "line": problem.line,
        "key": problem.key,
    }


def place(scope: Scope) -> str:
    """Return the path as a URI reference, without the query, which may hold what nobody logs."""
    return quote(scope["path"], safe="/:@!$&'()*+,;=~-._", errors="replace")


def headers_of(error: HookledgerError) -> Mapping[str, str]:
    """Return the headers of the first of the classes below that fits; most errors have none."""
    for kind, headers in _HEADERS:
        if isinstance(error, kind):
            return headers(error)
    return {}


def _challenge(**attributes: str) -> dict[str, str]:
    """Say what is asked of the caller (RFC 6750, section 3)."""
    parts = [f'{name}="{value}"' for name, value in attributes.items()]
    return {"www-authenticate": "Bearer " + ", ".join(('realm="hookledger"', *parts))}


_HEADERS: tuple[tuple[type[HookledgerError], Callable[[Any], Mapping[str, str]]], ...] = (
    (MissingToken, lambda _: _challenge()),
    (Unauthenticated, lambda _: _challenge(error="invalid_token")),
    (
        MissingScope,
        lambda error: _challenge(error="insufficient_scope", scope=" ".join(error.scopes)),
    ),
    (KeyInUse, lambda _: {"retry-after": "1"}),
    (Transient, lambda error: {"retry-after": str(max(1, math.ceil(error.retry_after)))}),
    (
        TooManyRequests,
        lambda error: {
            "retry-after": str(error.retry_after),
            **{name.decode(): value.decode() for name, value in error.allowance.headers},
        },
    ),
    (WrongMethod, lambda error: {"allow": error.allowed}),
)
