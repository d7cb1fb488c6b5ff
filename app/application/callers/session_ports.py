"""What signing in to the dashboard needs of the outside world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from app.domain.callers.people import Session


class SessionStore(Protocol):
    """Sessions and tickets, under hashes of what opens them. Blocking: call it from a thread."""

    def begin(self, token_hash: str, session: Session) -> None:
        """Store a new session."""
        ...

    def find(self, token_hash: str) -> Session | None:
        """Look a session up; one that has ended is not there."""
        ...

    def touch(self, session_id: str, seen_at: datetime) -> None:
        """Note that a session is being used."""
        ...

    def end(self, session_id: str) -> bool:
        """Forget a session; tell whether there was one."""
        ...

    def list(self) -> Sequence[Session]:
        """Return every session, the one used last first."""
        ...

    def sweep(self, now: datetime, idle_since: datetime) -> None:
        """Forget tickets and sessions that have run out by ``now``, or are not used any more."""
        ...

    def offer(self, kind: str, ticket_hash: str, content: bytes, ends_at: datetime) -> None:
        """Store what may be taken once, until then."""
        ...

    def take(self, kind: str, ticket_hash: str, now: datetime) -> bytes | None:
        """Return what was offered, to the first who asks in time."""
        ...


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """Somebody who was sent to the identity provider, and is to come back."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    """Of PKCE (RFC 7636)."""


class IdentityProvider(Protocol):
    """An OpenID Connect provider, by the authorization code flow with PKCE."""

    async def address(self, attempt: SignInAttempt) -> str:
        """Return where to send the browser; raise ``Transient`` if the provider cannot be asked."""
        ...

    async def claims(self, attempt: SignInAttempt, code: str) -> Mapping[str, Any]:
        """Return what the provider says of whoever came back with ``code``, verified.

        Raises ``Unauthenticated`` if it says nothing we may believe, ``Transient`` if it cannot be
        asked.
        """
        ...
