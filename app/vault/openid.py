"""An OpenID Connect provider, asked by the authorization code flow with PKCE.

OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9700 for what is refused. Its metadata and keys
are read when somebody signs in, and kept for a while.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key

from app.application.callers.session_ports import SignInAttempt
from app.application.ports import Clock
from app.domain.errors import Transient, Unauthenticated
from app.vault.issuers import keys_of
from app.vault.token_checks import MAX_TOKEN_CHARACTERS, signature_algorithms

_KEPT_SECONDS = 600.0
_ASK_SECONDS = 10.0
_MAX_BYTES = 256 * 1024
_LEEWAY = 60
_LOOPBACK = ("localhost", "127.0.0.1")
_METADATA = ("authorization_endpoint", "token_endpoint", "jwks_uri")

Members = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OpenIdClient:
    """What this server is at the provider."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    """Empty for a public client."""
    scopes: tuple[str, ...]
    redirect: str


@dataclass(frozen=True, slots=True)
class _Known:
    metadata: Members
    keys: Mapping[str, Key]
    read_at: float


class OpenIdProvider:
    """Implements ``IdentityProvider``."""

    def __init__(self, client: OpenIdClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: _Known | None = None

    async def address(self, attempt: SignInAttempt) -> str:
        """Return where to send the browser; raise ``Transient``."""
        known = await self._know()
        place = str(known.metadata["authorization_endpoint"])
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._client.client_id,
                "redirect_uri": self._client.redirect,
                "scope": " ".join(self._client.scopes),
                "state": attempt.state,
                "nonce": attempt.nonce,
                "code_challenge": _challenge(attempt.verifier),
                "code_challenge_method": "S256",
            }
        )
        return f"{place}{'&' if '?' in place else '?'}{query}"

    async def claims(self, attempt: SignInAttempt, code: str) -> Members:
        """Exchange the code, and return the claims of the ID token it is worth, verified."""
        known = await self._know()
        answer = await self._exchange(str(known.metadata["token_endpoint"]), attempt, code)
        token = answer.get("id_token")
        if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARACTERS:
            raise _refused("it sent no ID token")
        return self._verified(token, await self._key(token), attempt)

    def _verified(self, token: str, key: Key, attempt: SignInAttempt) -> Members:
        algorithms = signature_algorithms(key)
        if not algorithms:
            raise _refused("its key is not for signing")
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock().timestamp()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._client.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": self._client.client_id},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            claims = jwt.decode(token, key, algorithms=algorithms).claims
            registry.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise _refused(f"its ID token is not valid ({type(error).__name__})") from None
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), attempt.nonce.encode()):
            raise _refused("its ID token answers another sign-in")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (
            claims.get("azp", self._client.client_id if not several else "")
            != self._client.client_id
        ):
            raise _refused("its ID token is for another client")
        return claims

    async def _exchange(self, place: str, attempt: SignInAttempt, code: str) -> Members:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect,
            "code_verifier": attempt.verifier,
        }
        headers = {"accept": "application/json"}
        methods = (await self._know()).metadata.get("token_endpoint_auth_methods_supported")
        if not self._client.client_secret:
            form["client_id"] = self._client.client_id
        elif isinstance(methods, list) and "client_secret_basic" not in methods:
            form |= {
                "client_id": self._client.client_id,
                "client_secret": self._client.client_secret,
            }
        else:
            headers["authorization"] = _basic(self._client)
        status, body = await _ask("POST", place, headers=headers, data=form)
        answer = _members(body)
        if status != httpx.codes.OK:
            raise _refused(f"it refused the code ({str(answer.get('error', status))[:100]})")
        return answer

    async def _key(self, token: str) -> Key:
        """Return the key that a token names; an unknown one may have come since the last look."""
        try:
            kid = jws.extract_compact(token.encode("ascii")).headers().get("kid")
        except (JoseError, ValueError, TypeError):
            raise _refused("its ID token cannot be read") from None
        for fresh in (False, True):
            keys = (await self._know(fresh=fresh)).keys
            if kid in keys:
                return keys[str(kid)]
        raise _refused("it does not publish the key of its ID token")

    async def _know(self, *, fresh: bool = False) -> _Known:
        now = time.monotonic()
        known = self._known
        if known is None or fresh or now - known.read_at > _KEPT_SECONDS:
            metadata = await self._metadata()
            status, body = await _ask("GET", str(metadata["jwks_uri"]))
            try:
                keys = keys_of(body if status == httpx.codes.OK else b"")
            except ValueError:
                raise Transient("The identity provider's keys cannot be read.") from None
            known = self._known = _Known(metadata, keys, now)
        return known

    async def _metadata(self) -> Members:
        issuer = self._client.issuer
        place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        status, body = await _ask("GET", place)
        metadata = _members(body) if status == httpx.codes.OK else {}
        usable = all(_is_safe(metadata.get(name)) for name in _METADATA)
        if metadata.get("issuer") != issuer or not usable:
            raise Transient(
                f"The identity provider does not describe itself as `{issuer}` at {place}; an "
                "operator must correct the setting `dashboard.openid.issuer`."
            )
        return metadata


async def _ask(method: str, place: str, **request: Any) -> tuple[int, bytes]:
    try:
        async with (
            httpx.AsyncClient(timeout=_ASK_SECONDS, follow_redirects=False) as client,
            client.stream(method, place, **request) as answer,
        ):
            content = b""
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _MAX_BYTES:
                    raise Transient("The identity provider answers with too much.")
            return answer.status_code, content
    except (httpx.HTTPError, OSError) as error:
        raise Transient(
            f"The identity provider cannot be reached ({type(error).__name__}). Try again."
        ) from error


def _members(body: bytes) -> Members:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_safe(place: object) -> bool:
    parts = urlsplit(place) if isinstance(place, str) else None
    return parts is not None and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _basic(client: OpenIdClient) -> str:
    """Write id and secret, each form-encoded first (RFC 6749, section 2.3.1)."""
    pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _refused(reason: str) -> Unauthenticated:
    return Unauthenticated(f"The identity provider did not sign you in: {reason}. Begin again.")
