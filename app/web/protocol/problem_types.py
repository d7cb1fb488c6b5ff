"""Errors as RFC 9457 problem documents: one table of types, and the answers made from it.

A problem is always about the platform or the request. What a hook answers, errors of its own
included, travels in the envelope and never comes through here.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response
from starlette.types import Scope

from app.domain.errors import HookledgerError, Problem, Transient, Unauthenticated
from app.domain.outcomes import OutcomeKind
from app.web.protocol.errors import MissingScope, MissingToken, TooManyRequests, WrongMethod

_log = logging.getLogger("hookledger.web")

MEDIA_TYPE = "application/problem+json"
OVERLOADED_RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem, as callers may rely on it."""

    slug: str
    title: str
    status: int
    remedy: str
    """What whoever gets it can do."""

    @property
    def uri(self) -> str:
        """The stable reference; the server explains it at this path."""
        return f"/problems/{self.slug}"


_CORRECT_HOOK = "Read `logs` and the hook's script; correct the hook in a commit."

PROBLEM_TYPES: Mapping[str, ProblemType] = {
    kind.slug: kind
    for kind in (
        ProblemType(
            "rejected",
            "The request is not valid",
            400,
            "Correct what `detail` and `problems` name, and send the request again.",
        ),
        ProblemType(
            "unauthenticated",
            "The caller is not known",
            401,
            "Send `Authorization: Bearer <access token>` once, with a token that "
            "`hookledger clients create` printed and nobody has revoked. A webhook is signed with "
            "a secret that the settings name.",
        ),
        ProblemType(
            "forbidden",
            "The caller may not do this",
            403,
            "Use a client that has the scope named in `detail`; "
            "`hookledger clients create NAME --scope SCOPE` makes one.",
        ),
        ProblemType(
            "not-found",
            "There is no such thing",
            404,
            "Check the path, the name and the id; `GET /openapi.json` lists every route.",
        ),
        ProblemType(
            "method-not-allowed",
            "The path does not know this method",
            405,
            "Use one of the methods in the header `Allow`.",
        ),
        ProblemType(
            "conflict",
            "The request contradicts the present state",
            409,
            "Read the present state, and decide again on it.",
        ),
        ProblemType(
            "too-slow",
            "The request did not arrive in time",
            408,
            "Send head and body without pauses; the connection was closed.",
        ),
        ProblemType("too-large", "The body is too large", 413, "Send a smaller body."),
        ProblemType(
            "revision-rejected",
            "The commit cannot be applied",
            422,
            "Correct every entry of `problems` in a new commit; "
            "what was in force before stays in force.",
        ),
        ProblemType(
            "too-many-requests",
            "The rate limit is reached",
            429,
            "Try again after the seconds in the header `Retry-After`; "
            "`X-RateLimit-Remaining` tells beforehand.",
        ),
        ProblemType(
            "error",
            "The server could not do it",
            500,
            "Tell an operator what `detail` says.",
        ),
        ProblemType(
            "internal",
            "The server met an error it did not expect",
            500,
            "Try again; if it stays, give an operator the `correlation_id`, "
            "by which the server's log tells the cause.",
        ),
        ProblemType(
            "crashed",
            "The hook's process ended without an answer",
            502,
            _CORRECT_HOOK,
        ),
        ProblemType(
            "out-of-memory",
            "The hook used more memory than it may",
            502,
            _CORRECT_HOOK,
        ),
        ProblemType(
            "violated",
            "The hook's process broke the protocol",
            502,
            _CORRECT_HOOK,
        ),
        ProblemType(
            "stalled",
            "A person must act first",
            503,
            "An operator must do what `detail` says; trying again alone does not help.",
        ),
        ProblemType(
            "transient",
            "The server cannot do it just now",
            503,
            "Try again after the seconds in the header `Retry-After`.",
        ),
        ProblemType(
            "overloaded",
            "No worker was free in time",
            503,
            "Try again after the seconds in the header `Retry-After`; the hook did not start. "
            "If it happens often, raise `max_workers` or make the hook faster.",
        ),
        ProblemType(
            "timed-out",
            "The hook did not answer before its deadline",
            504,
            "Make the hook faster, or raise `timeout` in its `hook.toml`; "
            "what it did until then may have had effects elsewhere.",
        ),
    )
}
"""Every type a problem may have, by slug."""

FAILURES: Mapping[OutcomeKind, ProblemType] = {
    kind: PROBLEM_TYPES[kind.value.replace("_", "-")] for kind in OutcomeKind if not kind.is_answer
}
"""The platform's failures of an invocation."""


def type_of(error: HookledgerError) -> ProblemType:
    """Return the type of the error's class, or of the nearest class above that has one."""
    slugs = (str(vars(parent).get("slug")) for parent in type(error).__mro__)
    return next(PROBLEM_TYPES[slug] for slug in slugs if slug in PROBLEM_TYPES)


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
    (Transient, lambda error: {"retry-after": str(max(1, math.ceil(error.retry_after)))}),
    (TooManyRequests, lambda error: {"retry-after": str(error.retry_after)}),
    (WrongMethod, lambda error: {"allow": error.allowed}),
)
