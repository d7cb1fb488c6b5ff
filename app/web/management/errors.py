"""Errors as Auth0's Management API writes them: ``{statusCode, error, message, errorCode}``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

from starlette.responses import Response
from starlette.types import Scope

from app.application.callers.answer_once import KeyInUse, KeyReused
from app.domain.errors import (
    Conflict,
    Forbidden,
    HookledgerError,
    NotFound,
    Problem,
    Rejected,
    Stalled,
    Transient,
    Unauthenticated,
)
from app.domain.hooks.hook import HookNotFound, OwnedBySource, SecretNotFound, SecretTaken
from app.domain.hooks.names import NameTaken
from app.web.protocol.errors import (
    MissingScope,
    MissingToken,
    NoRoute,
    TooLarge,
    TooManyRequests,
    WrongMethod,
)
from app.web.protocol.formats import json_text
from app.web.protocol.problems import headers_of, log_unexpected

MEDIA_TYPE = "application/json; charset=utf-8"


class Invalid(Rejected):
    """A part of the request is not valid."""

    part: ClassVar[str]

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = tuple(problems)
        said = ", ".join(_quoted(problem) for problem in found)
        super().__init__(f"{self.part} validation error: {said}.", problems=found)


class InvalidBody(Invalid):
    """The body is not valid."""

    part = "Payload"


class InvalidQuery(Invalid):
    """The query string is not valid."""

    part = "Query"


def problems_of(refusal: Rejected) -> tuple[Problem, ...]:
    """Return what a refusal complains of; its sentence if it does not go into particulars."""
    return refusal.problems or (Problem(refusal.message.removesuffix(".")),)


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A kind of error, as programs may rely on it."""

    code: str
    status: int
    when: str


ERROR_CODES: tuple[tuple[type[HookledgerError], ErrorCode], ...] = (
    (InvalidBody, ErrorCode("invalid_body", 400, "the body is not valid")),
    (InvalidQuery, ErrorCode("invalid_query_string", 400, "the query string is not valid")),
    (Rejected, ErrorCode("invalid_request", 400, "a header is not valid, or is there twice")),
    (MissingToken, ErrorCode("missing_authentication", 401, "there is no access token")),
    (Unauthenticated, ErrorCode("invalid_token", 401, "the access token is not valid")),
    (MissingScope, ErrorCode("insufficient_scope", 403, "the client lacks the scope named")),
    (Forbidden, ErrorCode("forbidden", 403, "the client may not do this")),
    (HookNotFound, ErrorCode("HookDoesNotExist", 404, "no hook has this id")),
    (SecretNotFound, ErrorCode("SecretDoesNotExist", 404, "the hook has no secret of this name")),
    (NoRoute, ErrorCode("not_found", 404, "nothing is served at this path")),
    (NotFound, ErrorCode("not_found", 404, "there is no such thing")),
    (WrongMethod, ErrorCode("method_not_allowed", 405, "`Allow` names the methods of this path")),
    (NameTaken, ErrorCode("HookAlreadyExists", 409, "another hook has this name")),
    (SecretTaken, ErrorCode("SecretAlreadyExists", 409, "the hook has this secret already")),
    (OwnedBySource, ErrorCode("hook_owned_by_source", 409, "git owns the hook: commit instead")),
    (KeyInUse, ErrorCode("idempotency_key_in_use", 409, "the first request is under way")),
    (Conflict, ErrorCode("conflict", 409, "the request contradicts the present state")),
    (KeyReused, ErrorCode("idempotency_key_reused", 422, "the key came with another request")),
    (TooLarge, ErrorCode("payload_too_large", 413, "the body is over the limit")),
    (TooManyRequests, ErrorCode("too_many_requests", 429, "wait for `Retry-After` seconds")),
    (Stalled, ErrorCode("stalled", 503, "a person must act first")),
    (Transient, ErrorCode("temporarily_unavailable", 503, "try again after `Retry-After` seconds")),
    (HookledgerError, ErrorCode("internal_error", 500, "the server failed")),
)
"""The first class that fits decides."""


def error_answer(error: HookledgerError, scope: Scope) -> Response:  # noqa: ARG001 (as problems are)
    """Answer with what is wrong; in Auth0's words where its clients look at them."""
    kind = next(kind for family, kind in ERROR_CODES if isinstance(error, family))
    members: dict[str, Any] = {}
    message = error.message
    match error:
        case MissingToken():
            message = "Missing authentication"
        case Unauthenticated():
            message = "Invalid token"
            members = {"attributes": {"error": message}}
        case MissingScope():
            message = f"Insufficient scope, expected any of: {','.join(error.scopes)}"
        case HookNotFound():
            message = "Error: Hook does not exist"
        case TooManyRequests():
            message = "Global limit has been reached"
    return _answer(kind, message, members, headers_of(error))


def unexpected_answer(error: Exception, scope: Scope) -> Response:
    """Log what nobody foresaw; answer with a number by which the log can be searched."""
    correlation_id = log_unexpected(error, scope)
    kind = ERROR_CODES[-1][1]
    message = f"The cause is in the server's log, under the correlation id {correlation_id}."
    return _answer(kind, message, {}, {})


def _answer(kind: ErrorCode, message: str, members: Any, headers: Any) -> Response:
    document = {
        "statusCode": kind.status,
        "error": HTTPStatus(kind.status).phrase,
        "message": message,
        "errorCode": kind.code,
        **members,
    }
    return Response(json_text(document), kind.status, headers, media_type=MEDIA_TYPE)


def _quoted(problem: Problem) -> str:
    place = f" on property {problem.key}" if problem.key else ""
    return f"'{problem.message}'{place}"
