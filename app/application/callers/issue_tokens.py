"""Issue access tokens to clients (RFC 6749, section 4.4), if so configured after asking a hook."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from app.application.callers.manage_clients import authenticate_secret
from app.application.invoking.invoke import Answer, Invoker
from app.application.ports import Clock, HookTable, TokenSigner
from app.application.views import ClientRow
from app.domain.callers.tokens import (
    Audiences,
    ExchangeUnavailable,
    TokenError,
    TokenRefused,
    granted_scopes,
    scopes_of_hook,
)
from app.domain.errors import HookledgerError, Unauthenticated

_log = logging.getLogger("hookledger.tokens")

TRIGGER = "credentials-exchange"
MAX_CLAIMS_BYTES = 4096
"""A token travels in a header, of which servers read 8 kB in all."""

_HOOK_ERRORS: Mapping[str, TokenError] = {
    "InvalidScopeError": "invalid_scope",
    "InvalidRequestError": "invalid_request",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    """What the operator decided about tokens."""

    issuer: str
    """The server's address, with a slash at the end, as Auth0 writes it."""
    audiences: Audiences
    lifetime: int
    """Seconds."""
    tenant: str
    ask_hook: bool
    on_error: Literal["closed", "open"]
    """Whether clients get tokens when the hook cannot be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What a client asks for."""

    client_id: str
    client_secret: str = field(repr=False)
    audience: str | None
    scope: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """What it is given."""

    access_token: str = field(repr=False)
    scope: str
    expires_in: int


class TokenIssuer:
    """The use case; one for the server."""

    def __init__(
        self,
        policy: TokenPolicy,
        *,
        hooks: HookTable,
        signer: TokenSigner,
        invoker: Invoker,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self.policy = policy
        self.signer = signer
        self._hooks = hooks
        self._invoker = invoker
        self._clock = clock
        self._new_id = new_id

    async def issue(self, request: TokenRequest) -> IssuedToken:
        """Give a client its token; raise ``TokenRefused``."""
        client = self._authenticated(request)
        audience = self.policy.audiences.chosen(request.audience)
        scopes = granted_scopes(request.scope, client.scopes)
        claims: Mapping[str, Any] = {}
        if self.policy.ask_hook:
            scopes, claims = await self._after_hook(client, scopes, audience)
        scope = " ".join(scopes)
        now = int(self._clock().timestamp())
        registered = {
            "iss": self.policy.issuer,
            "sub": f"{client.id}@clients",
            "aud": audience,
            "iat": now,
            "exp": now + self.policy.lifetime,
            "azp": client.id,
            "gty": "client-credentials",
            "scope": scope,
            "jti": self._new_id(),
        }
        token = await asyncio.to_thread(self.signer.sign, {**claims, **registered})
        _log.info("token_issued", extra={"client": client.id, "scope": scope, "aud": audience})
        return IssuedToken(access_token=token, scope=scope, expires_in=self.policy.lifetime)

    def _authenticated(self, request: TokenRequest) -> ClientRow:
        try:
            return authenticate_secret(self._hooks.table, request.client_id, request.client_secret)
        except Unauthenticated as error:
            raise TokenRefused("access_denied", error.message) from None

    async def _after_hook(
        self, client: ClientRow, scopes: list[str], audience: str
    ) -> tuple[list[str], Mapping[str, Any]]:
        """Return scopes and claims as the trigger's hook wants them."""
        payload = {
            "client": {
                "id": client.id,
                "name": client.name,
                "tenant": self.policy.tenant,
                "metadata": dict(client.metadata),
            },
            "scope": scopes,
            "audience": audience,
            "context": {},
        }
        try:
            answer = await self._invoker.invoke(TRIGGER, orjson.dumps(payload), caller=client.id)
        except HookledgerError as error:
            return self._without_hook(scopes, error.message)
        if answer.envelope is None:
            return self._unanswered(answer, scopes)
        envelope = orjson.loads(answer.envelope)
        if envelope["status"] == "error":
            raise _refused_by_hook(envelope["data"])
        effects = envelope["effects"]
        claims = effects["claims"]
        if len(orjson.dumps(claims)) > MAX_CLAIMS_BYTES:
            raise TokenRefused("server_error", "The hook's claims are too large for a token.")
        return scopes_of_hook(effects["scope"]), claims

    def _unanswered(self, answer: Answer, scopes: list[str]) -> tuple[list[str], Mapping[str, Any]]:
        if answer.failure is not None:
            return self._without_hook(scopes, answer.failure.detail or answer.failure.kind)
        return scopes, {}  # no hook is enabled

    def _without_hook(self, scopes: list[str], reason: str) -> tuple[list[str], Mapping[str, Any]]:
        _log.error(
            "credentials_exchange_failed",
            extra={"reason": reason, "on_error": self.policy.on_error},
        )
        if self.policy.on_error == "closed":
            raise ExchangeUnavailable
        return scopes, {}


def _refused_by_hook(data: Mapping[str, Any]) -> TokenRefused:
    """Turn a hook's error into OAuth's, as Auth0 does; an error it has no class for is ours."""
    error = _HOOK_ERRORS.get(str(data.get("name")), "server_error")
    return TokenRefused(error, str(data.get("message", "")))
