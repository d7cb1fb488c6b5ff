"""What events of clients, our peers outside, do to the active-hook table."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from app.application.views import ClientRow
from app.domain.callers.client import Client
from projections.event_log import Recorded
from projections.hook_table.draft import Draft, Step


def _client_created(draft: Draft, fact: Recorded, event: Client.Created) -> None:
    client_id = fact.identifier
    draft.clients.put(
        client_id,
        ClientRow(
            id=client_id,
            name=event.name,
            scopes=frozenset(event.scopes),
            secret_hash=event.secret_hash,
            token_hash=event.token_hash,
            revoked=False,
            created_at=event.timestamp,
            metadata=event.metadata,
        ),
    )
    draft.tokens.put(event.token_hash, client_id)


def _client_revoked(draft: Draft, fact: Recorded, _event: Client.Revoked) -> None:
    row = draft.clients[fact.identifier]
    draft.clients.put(row.id, replace(row, revoked=True))
    draft.tokens.drop(row.token_hash)


PEER_STEPS: Mapping[str, Step] = {
    Client.Created.TOPIC: _client_created,
    Client.Revoked.TOPIC: _client_revoked,
}
