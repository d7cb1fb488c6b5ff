"""Clients and their credentials: made once, shown once, kept as hashes."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from app.application.ledger import Ledger
from app.application.views import ActiveTable, ClientRow
from app.domain.aggregates import Meta
from app.domain.callers.client import Client
from app.domain.errors import NotFound, Unauthenticated
from app.domain.revisions import Position


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a new client is told, once."""

    client_id: str
    client_secret: str = field(repr=False)
    access_token: str = field(repr=False)
    position: Position


def create_client(
    ledger: Ledger,
    *,
    name: str,
    scopes: Sequence[str],
    meta: Meta,
    new_id: Callable[[], str],
    new_secret: Callable[[], str],
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> Credentials:
    """Make a client; ``new_secret`` returns 256 random bits as text. Raises ``Rejected``."""
    client_id, secret, token = new_id(), f"hls_{new_secret()}", f"hlt_{new_secret()}"

    def command() -> Position:
        client = Client.create(
            client_id,
            name=name,
            scopes=list(scopes),
            metadata=metadata,
            secret_hash=hash_credential(secret),
            token_hash=hash_credential(token),
        )
        return ledger.record(client)

    return Credentials(client_id, secret, token, ledger.attempt(meta, command))


def revoke_client(ledger: Ledger, client_id: str, meta: Meta) -> Position:
    """Make a client's credentials worthless; raise ``NotFound`` for an unknown one."""

    def command() -> Position:
        client = ledger.find(Client, Client.create_id(client_id))
        if client is None:
            raise NotFound(f"There is no client `{client_id}`.")
        client.revoke()
        return ledger.record(client)

    return ledger.attempt(meta, command)


def authenticate(table: ActiveTable, token: str) -> ClientRow:
    """Find the client of an access token; raise ``Unauthenticated``.

    The look-up is by hash, so its timing tells nothing about a stored token.
    """
    client = table.clients.get(table.tokens.get(hash_credential(token), ""))
    if client is None or client.revoked:
        raise Unauthenticated("The access token is not valid: unknown, or its client was revoked.")
    return client


def authenticate_secret(table: ActiveTable, client_id: str, secret: str) -> ClientRow:
    """Find a client by id and secret; raise ``Unauthenticated``, whichever of them is wrong."""
    client = table.clients.get(client_id)
    stored = client.secret_hash if client is not None else ""
    known = hmac.compare_digest(stored, hash_credential(secret))
    if client is None or client.revoked or not known:
        raise Unauthenticated("Unauthorized")
    return client


def hash_credential(credential: str) -> str:
    """Hash a random credential for storage and look-up."""
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).hexdigest()
