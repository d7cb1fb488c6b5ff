"""What events of clients and sources, our peers outside, do to the active-hook table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.application.views import ClientRow, SourceRow
from app.domain.clients import Client
from app.domain.sources import Source
from projections.draft import Draft, Step
from projections.event_log import Recorded


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


def _source_created(draft: Draft, fact: Recorded, event: Source.Created) -> None:
    draft.sources.put(
        event.source,
        SourceRow(
            id=event.source,
            location=event.location,
            branch=event.branch,
            path=event.path,
            applied=None,
            tree=None,
            applied_at=None,
            rejected=None,
            rejected_at=None,
            problems=(),
            position=fact.position,
        ),
    )


def _revision_applied(draft: Draft, fact: Recorded, event: Source.RevisionApplied) -> None:
    row = draft.sources[fact.identifier]
    draft.sources.put(
        row.id,
        replace(
            row,
            branch=event.branch,
            applied=event.commit,
            tree=event.tree,
            applied_at=event.timestamp,
            rejected=None,
            rejected_at=None,
            problems=(),
            position=fact.position,
            signer=_signer(event),
        ),
    )


def _signer(event: Source.RevisionApplied) -> Mapping[str, Any] | None:
    signer = event.meta.get("signer")
    return signer if isinstance(signer, Mapping) else None


def _revision_rejected(draft: Draft, fact: Recorded, event: Source.RevisionRejected) -> None:
    row = draft.sources[fact.identifier]
    draft.sources.put(
        row.id,
        replace(
            row,
            rejected=event.commit,
            rejected_at=event.timestamp,
            problems=tuple(event.problems),
            position=fact.position,
        ),
    )


PEER_STEPS: Mapping[str, Step] = {
    Client.Created.TOPIC: _client_created,
    Client.Revoked.TOPIC: _client_revoked,
    Source.Created.TOPIC: _source_created,
    Source.RevisionApplied.TOPIC: _revision_applied,
    Source.RevisionRejected.TOPIC: _revision_rejected,
}
