"""Find drift: where the hook table has come to differ from the applied commit, and heal it.

What a person did on purpose (break-glass) is no drift until its time is over: the plan leaves such
hooks alone, and the state of the source tells of them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from app.application.syncing.decide_revision import Decision
from app.application.syncing.due_moments import override_ends
from app.application.syncing.results import same_place
from app.application.syncing.stages import Operation, SyncStages
from app.application.syncing.suspend_source import is_suspended
from app.domain.errors import HookledgerError
from app.domain.plans.plan import Change, ChangeKind
from app.domain.revisions import CommitSha
from app.domain.sources.guards import Hold, holds_of
from app.domain.sources.sync_policy import Approval

_log = logging.getLogger("hookledger.drift")


@dataclass(frozen=True, slots=True)
class Drift:
    """What a comparison found."""

    at: datetime
    commit: str | None = None
    """The applied commit; None if there was nothing to compare with."""
    changes: tuple[Change, ...] = ()
    """What would bring the table back to that commit."""
    healed: bool = False
    holds: tuple[Hold, ...] = ()
    """What kept it from being healed."""
    error: str | None = None
    """Why it could not be compared or healed."""

    @property
    def is_there(self) -> bool:
        """Whether the table still differs."""
        return bool(self.changes) and not self.healed


async def compare_table(stages: SyncStages) -> Drift:
    """Compare, log what differs, and heal it unless something holds that; waits its turn."""
    async with stages.running:
        with stages.doing(Operation.COMPARING):
            try:
                return await _compare(stages)
            except HookledgerError as error:
                _log.warning("comparison_failed", extra={"reason": str(error)})
                return Drift(stages.clock(), error=str(error))


async def _compare(stages: SyncStages) -> Drift:
    table = await stages.current_table()
    row = table.sources.get(stages.source.id)
    if row is None or row.applied is None or not same_place(stages.source, row):
        return Drift(stages.clock())
    decision = await stages.decider.compare(CommitSha(row.applied), table)
    planned = decision.plan
    found = Drift(stages.clock(), row.applied, planned.changes)
    if not planned.changes:
        return found
    _log.warning("drift_found", extra={"commit": row.applied, **planned.counts})
    holds = _holds(stages, decision)
    wanted = () if holds or is_suspended(row, found.at) else _to_heal(stages, decision, found.at)
    if not wanted:
        return replace(found, holds=holds)
    healing = replace(decision, plan=replace(planned, changes=wanted))
    position = await stages.put_in_force(healing, stages.recorder.heal)
    if position is None:  # somebody changed something meanwhile; the next comparison sees it
        return found
    _log.warning("drift_healed", extra={"commit": row.applied, "position": position})
    return replace(found, healed=len(wanted) == len(planned.changes))


def _holds(stages: SyncStages, decision: Decision) -> tuple[Hold, ...]:
    """Ask the guards against loss; neither the hour nor an approval matters to what was applied."""
    policy = replace(stages.source.policy, windows=(), approval=Approval.AUTOMATIC)
    return holds_of(
        decision.plan,
        decision.owned,
        policy,
        owned=decision.count_owned,
        forced=False,
        now=stages.clock(),
    )


def _to_heal(stages: SyncStages, decision: Decision, now: datetime) -> tuple[Change, ...]:
    """Choose everything; or, if the operator wants no healing, what was to end by now."""
    if stages.source.policy.heal:
        return decision.plan.changes
    ends = override_ends(decision.table, stages.source.owner)
    ended = {hook_id for hook_id, until in ends.items() if until <= now}
    return tuple(
        change
        for change in decision.plan.changes
        if change.kind is ChangeKind.ENABLE and change.hook_id in ended
    )
