"""Put a formerly applied commit in force again, and keep the bad ones out.

The branch is still followed: the commits that were left are skipped, and the next new tip is
applied as always. Guards do not hold a rollback, and its fixtures are not run again: a person
wants it now.
"""

from __future__ import annotations

import logging
from functools import partial

import anyio.to_thread

from app.application.syncing.results import SyncResult, SyncStatus
from app.application.syncing.stages import Operation, SyncStages
from app.application.views import SourceRow
from app.domain.aggregates import Meta
from app.domain.errors import Conflict, Problem, Rejected, Stalled, Transient
from app.domain.revisions import CommitSha
from app.domain.sources.sync_runs import SyncRun

_log = logging.getLogger("hookledger.reconcile")


async def roll_back(stages: SyncStages, ref: str, meta: Meta) -> SyncResult:
    """Apply the commit that ``ref`` names, in one transaction with the list of those to skip.

    Doing it twice records nothing. Raises ``NotFound`` for an unknown ref, ``Conflict`` for a
    commit that never was in force, ``Rejected`` without a reason or if it cannot run any more.
    """
    if not meta.reason:
        problem = Problem("say why; it is what others see of the bad commit", key="reason")
        raise Rejected("Nothing was rolled back.", problems=[problem])
    async with stages.running:
        with stages.doing(Operation.RESOLVING):
            commit = await stages.repository.resolve(ref)
        while True:
            result = await _roll_back_to(stages, commit, meta)
            if result is not None:
                return result


async def _roll_back_to(stages: SyncStages, commit: CommitSha, meta: Meta) -> SyncResult | None:
    table = await stages.current_table()
    row = table.sources.get(stages.source.id)
    run = SyncRun.create_id(stages.source.id, commit)
    if row is None or await anyio.to_thread.run_sync(stages.ledger.find, SyncRun, run) is None:
        raise Conflict(
            f"Commit {commit[:12]} never was in force here, so there is no going back to it. "
            f"{_choice(row)}"
        )
    left = await _commits_to_leave(stages, row, commit)
    if row.applied == commit and all(each in row.skipped for each in left):
        return SyncResult(SyncStatus.UNCHANGED, commit, table.position, None)
    with stages.doing(Operation.PLANNING):
        decision = await stages.decider.decide(
            commit, table, stages.applied_tree(row), install=True, fixtures=False
        )
    record = partial(stages.recorder.roll_back, skipped=left, by=meta)
    position = await stages.put_in_force(decision, record)
    if position is None:
        return None
    _log.info("rolled_back", extra={"commit": commit, "skipped": left, "reason": meta.reason})
    return SyncResult(SyncStatus.APPLIED, commit, position, decision.plan)


async def _commits_to_leave(stages: SyncStages, row: SourceRow, commit: CommitSha) -> list[str]:
    """Name the applied commit and the branch's tip, unless ``commit`` came after them."""
    found = [row.applied]
    try:
        found.append(await stages.repository.tip())
    except (Stalled, Transient):  # no branch, no tip to keep out
        _log.info("rolling back without a branch")
    left = {CommitSha(each): None for each in found if each is not None and each != commit}
    return [each for each in left if not await _is_ancestor(stages, each, commit)]


async def _is_ancestor(stages: SyncStages, old: CommitSha, new: CommitSha) -> bool:
    try:
        return await stages.repository.is_ancestor(old, new)
    except Stalled:  # the old one is gone
        return False


def _choice(row: SourceRow | None) -> str:
    """Say which commits may be named."""
    known = row.history if row is not None else ()
    listed = ", ".join(f"{each.commit[:12]} ({each.at:%Y-%m-%d %H:%M})" for each in known)
    newest = f"The newest that were: {listed}. " if listed else ""
    return f"{newest}`hookledger audit query --type source.revision_applied` lists them all."
