"""``POST /oauth/token`` (RFC 6749) and what it publishes: keys and metadata (RFC 7517, RFC 8414).

Errors are OAuth's, since its clients know no problem documents: ``error`` for programs,
``error_description`` in the words of Auth0 where it has any.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.application.callers.issue_tokens import IssuedToken, TokenRequest
from app.domain.callers.client import SCOPES
from app.domain.callers.tokens import CLIENT_CREDENTIALS, ExchangeUnavailable, TokenRefused
from app.domain.errors import HookledgerError, Rejected
from app.web.admission.access import note_token_denied
from app.web.admission.exchange import note, reply
from app.web.oauth.token_requests import BODY_LIMIT, token_request
from app.web.protocol.endpoints import (
    FORM,
    JSON,
    Answered,
    Endpoint,
    Inquiry,
    Operation,
    json_answer,
)
from app.web.protocol.errors import Disconnected, TooLarge, TooManyRequests
from app.web.protocol.limits import read_body
from app.web.protocol.parameters import parse_query
from app.web.protocol.problems import headers_of, problem_answer
from app.web.protocol.rate_limits import Buckets, address_of
from app.web.protocol.services import WebServices

_log = logging.getLogger("hookledger.web")

_STATUS = {"access_denied": 401, "server_error": 500}
_TOO_MANY = 429
_UNAVAILABLE = 503
_ID_LENGTH = 64
"""More than any client's id has; a longer one takes no memory."""
_BASIC = {"www-authenticate": 'Basic realm="hookledger"'}

ISSUE_TOKEN = Operation(
    id="issueToken",
    method="POST",
    path="/oauth/token",
    summary="Get an access token for a client",
    description=(
        "The client-credentials grant of OAuth 2. Errors are OAuth's; a body that is too large is "
        "a problem."
    ),
    group="Tokens",
    scope=None,
    body="TokenRequest",
    body_required=True,
    body_types=(FORM, JSON),
    body_limit=BODY_LIMIT,
    answers={
        200: Answered("The token.", {JSON: "Token"}),
        400: Answered(
            "`invalid_request`, `invalid_scope` or `unsupported_grant_type`.", {JSON: "TokenError"}
        ),
        401: Answered("`access_denied`.", {JSON: "TokenError"}),
        429: Answered(
            "`too_many_requests`.",
            {JSON: "TokenError"},
            ("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
        ),
        500: Answered("`server_error`: a hook's error.", {JSON: "TokenError"}),
        503: Answered("`server_error`: try again later.", {JSON: "TokenError"}),
    },
    problems=("too-large", "too-slow"),
)


class TokenEndpoint:
    """The operation ``ISSUE_TOKEN``."""

    def __init__(self, services: WebServices) -> None:
        self._tokens = services.tokens
        self._buckets = services.limits.tokens
        self._access, self._hooks = services.access, services.hooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        try:
            parse_query(scope["query_string"], ())  # secrets do not belong into addresses
            body = await read_body(scope["headers"], receive, BODY_LIMIT)
            request = token_request(scope["headers"], body)
            if self._buckets is not None:
                self._charge(self._buckets, request, scope)
            response = _issued(await self._issue(request, scope))
        except Disconnected:
            return
        except TooLarge as error:
            response = problem_answer(error, scope)
        except HookledgerError as error:
            response = oauth_answer(error, scope)
        except Exception:  # noqa: BLE001 (whatever it is, the caller gets an error it understands)
            _log.exception("unexpected_error")
            response = _error("server_error", "The server's log tells the cause.", 500)
        response.headers["pragma"] = "no-cache"  # RFC 6749, section 5.1
        try:
            await reply(response, scope, receive, send)
        finally:
            note(scope, response.status_code, started, None)

    async def _issue(self, request: TokenRequest, scope: Scope) -> IssuedToken:
        try:
            return await self._tokens.issue(request)
        except TokenRefused as error:
            table, client_id = self._hooks.table, request.client_id
            note_token_denied(self._access, table, ISSUE_TOKEN, scope, error, client_id)
            raise

    def _charge(self, buckets: Buckets, request: TokenRequest, scope: Scope) -> None:
        allowance = buckets.take(f"{request.client_id[:_ID_LENGTH]} {address_of(scope)}")
        if allowance.wait:
            raise TooManyRequests(allowance)


async def key_set(inquiry: Inquiry) -> Response:
    """Answer the keys that verify our tokens."""
    keys = await inquiry.services.read(inquiry.services.tokens.signer.public_keys)
    return json_answer(keys)


async def metadata(inquiry: Inquiry) -> Response:
    """Answer where tokens are to be had."""
    issuer = inquiry.services.tokens.policy.issuer
    return json_answer(
        {
            "issuer": issuer,
            "token_endpoint": f"{issuer}oauth/token",
            "jwks_uri": f"{issuer}.well-known/jwks.json",
            "grant_types_supported": [CLIENT_CREDENTIALS],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": list(SCOPES),
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    )


def _issued(issued: IssuedToken) -> Response:
    return json_answer(
        {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "scope": issued.scope,
        }
    )


def oauth_answer(error: HookledgerError, scope: Scope) -> Response:
    """Answer with an error as OAuth writes it (RFC 6749, section 5.2)."""
    match error:
        case TooManyRequests():
            return _error("too_many_requests", error.message, _TOO_MANY, headers_of(error))
        case ExchangeUnavailable():
            return _error(error.error, error.message, _UNAVAILABLE)
        case TokenRefused():
            status = _STATUS.get(error.error, 400)
            basic = status == 401 and any(name == b"authorization" for name, _ in scope["headers"])  # noqa: PLR2004
            return _error(error.error, error.message, status, _BASIC if basic else {})
        case Rejected():
            parts = (error.message, *(str(problem) for problem in error.problems))
            return _error("invalid_request", " ".join(parts), 400)
    _log.error("token_not_issued", extra={"reason": str(error)})
    return _error("server_error", "The token cannot be issued now.", _UNAVAILABLE)


def _error(
    error: str, description: str, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    body = orjson.dumps({"error": error, "error_description": description})
    return Response(body, status, headers, media_type=JSON)


def _published(operation_id: str, path: str, summary: str) -> Operation:
    return Operation(
        id=operation_id,
        method="GET",
        path=path,
        summary=summary,
        group="Tokens",
        scope=None,
        answers={200: Answered("The metadata.", {JSON: "AuthorizationServer"})},
    )


ENDPOINTS = (
    Endpoint(
        Operation(
            id="showKeys",
            method="GET",
            path="/.well-known/jwks.json",
            summary="Show the keys that verify access tokens",
            group="Tokens",
            scope=None,
            answers={200: Answered("A JWK Set.", {JSON: "KeySet"})},
        ),
        key_set,
    ),
    Endpoint(
        _published(
            "showAuthorizationServer",
            "/.well-known/oauth-authorization-server",
            "Say where tokens are to be had (RFC 8414)",
        ),
        metadata,
    ),
    Endpoint(
        _published(
            "showOpenidConfiguration",
            "/.well-known/openid-configuration",
            "Say the same where OpenID clients look",
        ),
        metadata,
    ),
)
