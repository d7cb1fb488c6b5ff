"""Bring the ledger to what a commit says: resolve, decide, guard, apply.

Level-based: every run starts from the branch's tip and the applied tree, never from a notice. A
revision is applied whole, in one transaction, or refused whole with every reason, or held whole.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import anyio.to_thread

from app.application.ledger import Ledger
from app.application.ports import Clock, HookTable, Packages, Runner, Vault
from app.application.syncing.compare_table import Drift, compare_table
from app.application.syncing.decide_revision import Decision
from app.application.syncing.preview_plan import Preview, preview_plan
from app.application.syncing.progress import OnStage, log_large_stages
from app.application.syncing.results import SourceSettings, SyncResult, SyncStatus
from app.application.syncing.roll_back import roll_back
from app.application.syncing.sealed_secrets import SealedSecrets
from app.application.syncing.source_ports import SourceRepository
from app.application.syncing.source_reader import SourceReader
from app.application.syncing.stages import Operation, SyncStages
from app.application.syncing.suspend_source import is_suspended, resume_source
from app.application.views import ActiveTable, SourceRow
from app.domain.aggregates import Meta
from app.domain.errors import Rejected
from app.domain.plans.plan import Plan
from app.domain.revisions import CommitSha
from app.domain.sources.guards import Hold

_log = logging.getLogger("hookledger.reconcile")


class Reconciler:
    """The use cases for one source that read its repository; one that changes waits its turn.

    ``reread`` has the first run judge the commit in force too: settings may change what it says.
    """

    def __init__(
        self,
        source: SourceSettings,
        *,
        repository: SourceRepository,
        ledger: Ledger,
        hooks: HookTable,
        runner: Runner,
        packages: Packages,
        vault: Vault,
        secrets: SealedSecrets,
        clock: Clock,
        new_id: Callable[[], str],
        reread: bool = False,
        on_stage: OnStage = log_large_stages,
    ) -> None:
        self._source = source
        self._stages = SyncStages(
            source,
            repository=SourceReader(repository),
            ledger=ledger,
            hooks=hooks,
            runner=runner,
            packages=packages,
            vault=vault,
            secrets=secrets,
            clock=clock,
            new_id=new_id,
            on_stage=on_stage,
        )
        self._drift: Drift | None = None
        self._reread = reread

    @property
    def operation(self) -> Operation:
        """What is being done just now."""
        return self._stages.operation

    @property
    def drift(self) -> Drift | None:
        """What the last comparison found; None before the first."""
        return self._drift

    async def plan(self, ref: str | None = None) -> Plan:
        """Say what applying ``ref`` would do; see ``preview``."""
        return (await self.preview(ref)).plan

    async def preview(self, ref: str | None = None) -> Preview:
        """Say all that applying ``ref`` (default: the branch's tip) would do, and change nothing.

        Raises ``NotFound`` for an unknown ref, ``Rejected`` with every problem, ``Stalled`` or
        ``Transient`` when the repository cannot be read.
        """
        return await preview_plan(self._stages, ref)

    async def roll_back(self, ref: str, meta: Meta) -> SyncResult:
        """Put a formerly applied commit in force again; see the module ``roll_back``."""
        return await roll_back(self._stages, ref, meta)

    async def compare(self) -> Drift:
        """Compare the hook table with the applied commit, and heal; says what fails."""
        self._drift = await compare_table(self._stages)
        return self._drift

    async def sync(self) -> SyncResult:
        """Apply the branch's tip, hold it, or record why it is refused.

        Raises ``Rejected`` (recorded in the ledger), ``Stalled`` or ``Transient``.
        """
        async with self._stages.running:
            while True:
                with self._stages.doing(Operation.RESOLVING):
                    commit = await self._stages.repository.tip()
                    table = await self._stages.current_table()
                row = table.sources.get(self._source.id)
                result = await self._kept_as_is(commit, table, row)
                if result is None:
                    result = await self._sync_to(commit, table, row)
                if result is not None:
                    return result

    async def _kept_as_is(
        self, commit: CommitSha, table: ActiveTable, row: SourceRow | None
    ) -> SyncResult | None:
        """Tell whether there is nothing to do, or nothing to be done by itself."""
        if row is None:
            return None
        status: SyncStatus | None = None
        if is_suspended(row, self._stages.clock()):
            status = SyncStatus.SUSPENDED
        elif row.applied == commit and _is_settled(row) and not self._reread:
            status = SyncStatus.UNCHANGED
        elif commit in row.skipped:
            status = SyncStatus.SKIPPED
        if row.suspension is not None and status is not SyncStatus.SUSPENDED:
            meta = Meta(self._source.owner, "system", reason="the time of the suspension is over")
            await anyio.to_thread.run_sync(resume_source, self._stages.ledger, self._source, meta)
        return SyncResult(status, commit, table.position, None) if status is not None else None

    async def _sync_to(
        self, commit: CommitSha, table: ActiveTable, row: SourceRow | None
    ) -> SyncResult | None:
        """Bring about what ``commit`` says; None if the ledger moved on meanwhile."""
        since = self._stages.applied_tree(row)
        try:
            with self._stages.doing(Operation.PLANNING):
                decision = await self._stages.decider.decide(commit, table, since, install=True)
                holds = await self._stages.guard.holds(decision, row)
        except Rejected as refusal:
            await anyio.to_thread.run_sync(self._stages.recorder.reject, commit, refusal.problems)
            _log.warning("revision_rejected", extra={"commit": commit, "reason": str(refusal)})
            raise
        planned = decision.plan
        self._reread = False
        unchanged = since == planned.tree and not planned.changes and not planned.secrets
        if unchanged and row is not None and _is_settled(row):
            return SyncResult(SyncStatus.UNCHANGED, commit, table.position, planned)
        if holds and not _is_approved(row, planned):
            return await self._hold(decision, holds)
        position = await self._stages.put_in_force(decision, self._stages.recorder.apply)
        if position is None:
            return None
        _log.info("revision_applied", extra={"commit": commit, **planned.counts})
        return SyncResult(SyncStatus.APPLIED, commit, position, planned)

    async def _hold(self, decision: Decision, holds: tuple[Hold, ...]) -> SyncResult | None:
        planned = decision.plan
        record = partial(self._stages.recorder.hold, decision, holds)
        position = await anyio.to_thread.run_sync(record)
        if position is None:
            return None
        await self._stages.shown(position)
        reason = "; ".join(hold.message for hold in holds)
        _log.warning("plan_held", extra={"commit": planned.commit, "reason": reason})
        return SyncResult(SyncStatus.HELD, planned.commit, position, planned)


def _is_settled(row: SourceRow) -> bool:
    """Tell whether the newest commit was neither refused nor held."""
    return row.rejected is None and row.held is None


def _is_approved(row: SourceRow | None, planned: Plan) -> bool:
    held = row.held if row is not None else None
    return held is not None and held.approval is not None and held.digest == planned.digest
