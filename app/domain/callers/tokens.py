"""Access tokens: who may ask for what, and what is granted (RFC 6749)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from app.domain.errors import HookledgerError

CLIENT_CREDENTIALS = "client_credentials"
MAX_SCOPES = 100

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")
"""RFC 6749, section 3.3; what a hook grants must not split into several in the token."""

TokenError = Literal[
    "access_denied", "invalid_request", "invalid_scope", "server_error", "unsupported_grant_type"
]


class TokenRefused(HookledgerError):
    """No access token is given."""

    def __init__(self, error: TokenError, message: str) -> None:
        super().__init__(message)
        self.error: TokenError = error


class ExchangeUnavailable(TokenRefused):
    """The hook that decides about access tokens cannot be asked now."""

    def __init__(self) -> None:
        super().__init__("server_error", "The token cannot be issued now; try again later.")


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a signed access token proves."""

    OWN: ClassVar[str] = ""

    issuer: str
    """Name of a trusted issuer; ``OWN`` if this server signed it."""
    subject: str
    """Id of our client, or the foreign token's ``sub``."""
    scopes: frozenset[str]
    expires_at: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Audiences:
    """The names under which tokens may be asked for, the default first; slashes do not matter."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, addresses: Iterable[str], others: Iterable[str]) -> Audiences:
        """Take the server's own addresses, each with its Management API, and what is configured.

        The header ``Host`` has no say: whoever sends the request writes it.
        """
        own = [name for at in addresses for name in (f"{at.rstrip('/')}/api/v2/", f"{at}/")]
        return cls(tuple(dict.fromkeys((*own, *others))))

    def chosen(self, asked: str | None) -> str:
        """Return the audience of a new token; raise ``TokenRefused`` if it is not one of ours."""
        if not asked:
            return self.names[0]
        if not self.holds(asked):
            # Auth0's words, by which its tools' users search.
            raise TokenRefused("access_denied", f"Service not found: {asked[:200]}")
        return asked

    def holds(self, audience: object) -> bool:
        """Tell whether ``audience`` names this server."""
        return isinstance(audience, str) and audience.rstrip("/") in {
            name.rstrip("/") for name in self.names
        }


def granted_scopes(asked: str | None, held: Collection[str]) -> list[str]:
    """Return what is granted of what is asked for; everything if nothing is named.

    Raises ``TokenRefused`` for a scope that the client does not have.
    """
    if not asked or not asked.strip():
        return sorted(held)
    wanted = dict.fromkeys(asked.split())
    missing = [scope for scope in wanted if scope not in held]
    if missing:
        named = ", ".join(scope[:100] for scope in missing[:5])
        raise TokenRefused("invalid_scope", f"The client does not have the scope: {named}")
    return list(wanted)


def scopes_of_hook(scopes: Iterable[str]) -> list[str]:
    """Return what a hook grants, less what cannot stand in a token."""
    sound = dict.fromkeys(scope for scope in scopes if _SCOPE_TOKEN.fullmatch(scope))
    return list(sound)[:MAX_SCOPES]
