"""What each event of a source does to the active-hook table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from app.application.acts import AppliedRevision, HeldPlan, Rollback
from app.application.views import SourceRow
from app.domain.sources.skipped_commits import skipped_after
from app.domain.sources.source import Source
from projections.event_log import Recorded
from projections.hook_table.acts import act_of
from projections.hook_table.draft import Draft, Step

_HISTORY = 20
"""Applied commits that are remembered beside the source; the audit log has them all."""


def _created(draft: Draft, fact: Recorded, event: Source.Created) -> None:
    row = SourceRow(
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
    )
    draft.sources.put(event.source, row)


def _revision_applied(draft: Draft, fact: Recorded, event: Source.RevisionApplied) -> None:
    _in_force(draft, fact, event, rollback=None)


def _revision_rejected(draft: Draft, fact: Recorded, event: Source.RevisionRejected) -> None:
    _change(
        draft,
        fact,
        rejected=event.commit,
        rejected_at=event.timestamp,
        problems=tuple(event.problems),
        held=None,
    )


def _plan_held(draft: Draft, fact: Recorded, event: Source.PlanHeld) -> None:
    before = draft.sources[fact.identifier].held
    same = before is not None and before.digest == event.plan_digest
    held = HeldPlan(
        commit=event.commit,
        digest=event.plan_digest,
        counts=event.counts,
        changes=tuple(event.changes),
        holds=tuple(event.holds),
        at=event.timestamp,
        approval=before.approval if before is not None and same else None,
    )
    _change(draft, fact, held=held, rejected=None, rejected_at=None, problems=())


def _plan_approved(draft: Draft, fact: Recorded, event: Source.PlanApproved) -> None:
    held = draft.sources[fact.identifier].held
    if held is not None:
        _change(draft, fact, held=dataclasses.replace(held, approval=act_of(event)))


def _suspended(draft: Draft, fact: Recorded, event: Source.Suspended) -> None:
    _change(draft, fact, suspension=act_of(event, event.until))


def _resumed(draft: Draft, fact: Recorded, _event: Source.Resumed) -> None:
    _change(draft, fact, suspension=None)


def _rolled_back(draft: Draft, fact: Recorded, event: Source.RolledBack) -> None:
    before = draft.sources[fact.identifier]
    skipped = skipped_after(list(before.skipped), event.commit, event.skipped)
    rollback = Rollback(event.previous, act_of(event))
    _in_force(draft, fact, event, rollback=rollback, skipped=tuple(skipped))


def _no_effect(_draft: Draft, _fact: Recorded, _event: Source.DriftHealed) -> None:
    """Leave the source as it is: the events of the hooks beside this one say what changed."""


def _in_force(
    draft: Draft,
    fact: Recorded,
    event: Source.RevisionApplied | Source.RolledBack,
    **members: Any,
) -> None:
    signer = event.meta.get("signer")
    now = AppliedRevision(event.commit, event.timestamp)
    before = draft.sources[fact.identifier].history
    history = (now, *(before[1:] if before and before[0].commit == now.commit else before))
    _change(
        draft,
        fact,
        branch=event.branch,
        applied=event.commit,
        tree=event.tree,
        applied_at=event.timestamp,
        rejected=None,
        rejected_at=None,
        problems=(),
        held=None,
        history=history[:_HISTORY],
        signer=signer if isinstance(signer, Mapping) else None,
        **members,
    )


def _change(draft: Draft, fact: Recorded, **members: Any) -> None:
    row = draft.sources[fact.identifier]
    draft.sources.put(row.id, replace(row, position=fact.position, **members))


SOURCE_STEPS: Mapping[str, Step] = {
    Source.Created.TOPIC: _created,
    Source.RevisionApplied.TOPIC: _revision_applied,
    Source.RevisionRejected.TOPIC: _revision_rejected,
    Source.PlanHeld.TOPIC: _plan_held,
    Source.PlanApproved.TOPIC: _plan_approved,
    Source.Suspended.TOPIC: _suspended,
    Source.Resumed.TOPIC: _resumed,
    Source.RolledBack.TOPIC: _rolled_back,
    Source.DriftHealed.TOPIC: _no_effect,
}
