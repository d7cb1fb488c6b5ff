"""Judging signed access tokens: who signed, with which key, for whom, until when.

The rules of RFC 8725: the issuer that a token names decides whose keys are looked at; the key, not
the token, decides the algorithm; headers that bring keys of their own (``jwk``, ``jku``, ``x5u``)
are never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from app.application.ports import Clock
from app.domain.callers.tokens import Audiences, VerifiedToken
from app.domain.errors import Unauthenticated
from app.vault.issuers import IssuerKeys, TrustedIssuers
from app.vault.signing_keys import ALGORITHM, SigningKeys

MAX_TOKEN_CHARACTERS = 8192
_MAX_SUBJECT = 200
_FOREIGN_LEEWAY = 60
"""Seconds that another machine's clock may differ."""

_EC_ALGORITHMS = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_SCOPE_CLAIMS = ("scope", "scp", "permissions")
"""Where issuers write scopes: OAuth (RFC 8693), Microsoft and Okta, Auth0's roles."""

Claims = Mapping[str, Any]


class JwtChecks:
    """Implements ``TokenVerifier``."""

    def __init__(
        self,
        *,
        issuer: str,
        audiences: Audiences,
        own: SigningKeys,
        trusted: TrustedIssuers,
        clock: Clock,
    ) -> None:
        self._issuer = issuer
        self._audiences = audiences
        self._own = own
        self._trusted = trusted
        self._clock = clock

    def verify(self, token: str) -> VerifiedToken:
        """Return what the token proves; raise ``Unauthenticated`` or ``Transient``."""
        kid, issuer = _named(token)
        if issuer == self._issuer:
            return self._verify_own(token, kid)
        keys = self._trusted.find(issuer)
        if keys is None:
            raise _refused("its issuer is not trusted here")
        return self._verify_foreign(token, keys, kid)

    def _verify_own(self, token: str, kid: str) -> VerifiedToken:
        key = self._own.public_key(kid)
        if key is None:
            raise _refused("its key is not in use any more")
        claims = self._claims(token, key, [ALGORITHM], self._issuer, leeway=0)
        if not any(self._audiences.holds(audience) for audience in _audiences(claims["aud"])):
            raise _refused("it is for another audience")
        client = claims.get("azp")
        if not isinstance(client, str) or claims["sub"] != f"{client}@clients":
            raise _refused("it names no client")
        scopes = frozenset(_texts(claims.get("scope")))
        return VerifiedToken(VerifiedToken.OWN, client, scopes, float(claims["exp"]))

    def _verify_foreign(self, token: str, keys: IssuerKeys, kid: str) -> VerifiedToken:
        key = keys.key(kid)
        trusted = keys.trusted
        claims = self._claims(
            token, key, signature_algorithms(key), trusted.issuer, leeway=_FOREIGN_LEEWAY
        )
        if not set(_audiences(claims["aud"])) & set(trusted.audience):
            raise _refused("it is for another audience")
        subject = claims["sub"]
        if not 0 < len(subject) <= _MAX_SUBJECT or not subject.isprintable():
            raise _refused("its subject cannot be used as a name")
        given = {scope for claim in _SCOPE_CLAIMS for scope in _texts(claims.get(claim))}
        return VerifiedToken(trusted.name, subject, trusted.scopes_for(given), float(claims["exp"]))

    def _claims(
        self, token: str, key: Key, algorithms: list[str], issuer: str, *, leeway: int
    ) -> Claims:
        """Check signature, issuer and times; the audience is the caller's business."""
        if not algorithms:  # the library would take that for its own choice
            raise _refused("its key is not for signing")
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock().timestamp()),
            leeway=leeway,
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            aud={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            decoded = jwt.decode(token, key, algorithms=algorithms)
            registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise _refused(_reason(error)) from None
        if not isinstance(decoded.claims["sub"], str):
            raise _refused("its subject is no text")
        return decoded.claims


def _named(token: str) -> tuple[str, str]:
    """Read key id and issuer, not yet proven; raise ``Unauthenticated``."""
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise _refused(f"it is longer than {MAX_TOKEN_CHARACTERS} characters")
    try:
        signed = jws.extract_compact(token.encode("ascii"))
        header, claims = signed.headers(), orjson.loads(signed.payload)
    except (JoseError, ValueError, TypeError):
        raise _refused("it is no signed token (JWT)") from None
    kid = header.get("kid")
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    if "crit" in header or not isinstance(kid, str) or not isinstance(issuer, str):
        raise _refused("its header or issuer is missing or not understood")
    return kid, issuer


def signature_algorithms(key: Key) -> list[str]:
    """Return the algorithms of a foreign key: the one it names, else those of its kind."""
    match key:
        case RSAKey():
            kinds = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
        case ECKey():
            kinds = [_EC_ALGORITHMS[key.curve_name]] if key.curve_name in _EC_ALGORITHMS else []
        case OKPKey():
            kinds = ["EdDSA", "Ed25519"]
        case _:
            kinds = []
    return [kind for kind in kinds if key.alg in (None, kind)]


def _texts(value: object) -> list[str]:
    """Read a claim that is a list of texts, or one text with blanks between them."""
    if isinstance(value, str):
        return value.split()
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _audiences(value: object) -> set[str]:
    return set(_texts(value)) if isinstance(value, list) else {str(value)}


def _reason(error: Exception) -> str:
    """Say what is wrong without quoting the token."""
    return getattr(error, "error", "").replace("_", " ") or "its form is not valid"


def _refused(reason: str) -> Unauthenticated:
    return Unauthenticated(f"The access token is not valid: {reason}.")
