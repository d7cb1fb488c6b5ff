"""Tell which client a signed access token speaks for, and with which scopes.

Verifying a signature costs some 60 microseconds, so what was verified is remembered by its hash,
for a minute: a signing key that is withdrawn is refused after that. Only tokens that proved good
are remembered, so a flood of bad ones cannot push them out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from msgspec.structs import replace

from app.application.ports import Clock, TokenVerifier
from app.application.views import ActiveTable, ClientRow
from app.domain.callers.tokens import VerifiedToken
from app.domain.errors import Unauthenticated

MAX_REMEMBERED = 4096
REMEMBERED_SECONDS = 60.0


@dataclass(slots=True)
class _Remembered:
    token: VerifiedToken
    until: float
    registered: ClientRow | None = None
    """The client as it was when ``client`` was made of it."""
    client: ClientRow | None = None


class TokenDesk:
    """The use case; one for the server, called by its event loop."""

    def __init__(self, verifier: TokenVerifier, clock: Clock) -> None:
        self._verifier = verifier
        self._clock = clock
        self._remembered: dict[bytes, _Remembered] = {}

    def client_of(self, table: ActiveTable, token: str) -> ClientRow:
        """Return the client, with no more scopes than the token names.

        Raises ``Unauthenticated`` when the token is not good or its client was revoked, and
        ``Transient`` while a trusted issuer's keys are not known.
        """
        now = self._clock().timestamp()
        digest = hashlib.sha256(token.encode()).digest()
        found = self._remembered.get(digest)
        if found is None or found.until <= now:
            self._remembered.pop(digest, None)
            found = self._verified(token, digest, now)
        if found.token.issuer != VerifiedToken.OWN:
            return self._stranger(found)
        return _registered(table, found)

    def _verified(self, token: str, digest: bytes, now: float) -> _Remembered:
        verified = self._verifier.verify(token)
        if len(self._remembered) >= MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        made = _Remembered(verified, min(verified.expires_at, now + REMEMBERED_SECONDS))
        self._remembered[digest] = made
        return made

    def _stranger(self, found: _Remembered) -> ClientRow:
        """Make a client of what a trusted issuer says."""
        if found.client is None:
            name = f"{found.token.issuer}|{found.token.subject}"
            found.client = ClientRow(
                id=name,
                name=name,
                scopes=found.token.scopes,
                secret_hash="",
                token_hash="",
                revoked=False,
                created_at=self._clock(),
            )
        return found.client


def _registered(table: ActiveTable, found: _Remembered) -> ClientRow:
    """Return our client as it is now: what it lost since the token was signed, it has lost."""
    row = table.clients.get(found.token.subject)
    if row is None or row.revoked:
        raise Unauthenticated("The access token is not valid: its client was revoked.")
    if found.client is None or found.registered is not row:
        found.registered = row
        found.client = replace(row, scopes=row.scopes & found.token.scopes)
    return found.client
