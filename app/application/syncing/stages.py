"""What every use case about a source goes through, one at a time."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Iterator, Mapping

import anyio
import anyio.to_thread

from app.application.invoking.versions import versions_to_come
from app.application.ledger import Ledger
from app.application.ports import Clock, HookTable, Packages, Runner, Vault
from app.application.syncing.decide_revision import Decision, RevisionDecider
from app.application.syncing.guard_plan import PlanGuard
from app.application.syncing.progress import OnStage, SyncStage, log_large_stages
from app.application.syncing.record_revision import RevisionRecorder
from app.application.syncing.results import SourceSettings, same_place
from app.application.syncing.sealed_secrets import SealedSecrets
from app.application.syncing.source_reader import SourceReader
from app.application.views import ActiveTable, SourceRow
from app.domain.errors import Transient
from app.domain.plans.plan import ChangeKind
from app.domain.revisions import Position, TreeSha

_TABLE_WAIT = 10.0
"""Seconds the table may take to catch up with the ledger before a run gives up for now."""

Record = Callable[[Decision, Mapping[str, str]], Position | None]


class Operation(enum.StrEnum):
    """What is being done about a source now."""

    IDLE = "Idle"
    RESOLVING = "Resolving"
    """The branch's tip is looked up."""
    PLANNING = "Planning"
    """A commit is read, checked and tried."""
    APPLYING = "Applying"
    COMPARING = "Comparing"
    """The hook table is compared with the applied commit."""
    RETRYING = "Retrying"
    """The last run failed for reasons that may pass; the next one comes by itself."""


class SyncStages:
    """Decide, guard and record, put together for one source."""

    def __init__(
        self,
        source: SourceSettings,
        *,
        repository: SourceReader,
        ledger: Ledger,
        hooks: HookTable,
        runner: Runner,
        packages: Packages,
        vault: Vault,
        secrets: SealedSecrets,
        clock: Clock,
        new_id: Callable[[], str],
        on_stage: OnStage = log_large_stages,
    ) -> None:
        self.source = source
        self.repository = repository
        self.ledger = ledger
        self.clock = clock
        self.decider = RevisionDecider(
            source, repository, runner, packages, vault, secrets, clock, new_id, on_stage
        )
        self.guard = PlanGuard(source, repository, clock)
        self.recorder = RevisionRecorder(source, ledger, vault)
        self.packages = packages
        self.running = anyio.Lock()
        """Held by whatever may change something."""
        self.operation = Operation.IDLE
        self._hooks = hooks
        self._runner = runner
        self._vault = vault
        self._new_id = new_id
        self._on_stage = on_stage

    @contextlib.contextmanager
    def doing(self, operation: Operation) -> Iterator[None]:
        """Say what is done inside the block."""
        before, self.operation = self.operation, operation
        try:
            yield
        finally:
            self.operation = before

    async def current_table(self) -> ActiveTable:
        """Return the table once it is as new as the ledger; raise ``Transient``."""
        head = await anyio.to_thread.run_sync(self.ledger.head)
        if not await self._hooks.wait_for(head, timeout=_TABLE_WAIT):
            raise Transient("The hook table has not caught up with the ledger yet.")
        return self._hooks.table

    def applied_tree(self, row: SourceRow | None) -> TreeSha | None:
        """Return the tree to compare a commit with; None: all of the commit has to be read."""
        if row is None or row.tree is None or not same_place(self.source, row):
            return None
        return TreeSha(row.tree)

    async def put_in_force(self, decision: Decision, record: Record) -> Position | None:
        """Store a decision by ``record``, and return its position once the hook table is there.

        None if it has to be decided again.
        """
        created = {
            change.name: self._new_id()
            for change in decision.plan.changes
            if change.kind is ChangeKind.CREATE
        }
        # All checks are passed: processes start while the revision is being stored.
        self._runner.expect(
            versions_to_come(decision.plan, created, decision.table, self._vault, self.packages)
        )
        self._on_stage(SyncStage.STORING, len(decision.plan.changes))
        with self.doing(Operation.APPLYING):
            position = await anyio.to_thread.run_sync(record, decision, created)
            if position is not None:
                await self.shown(position)
            return position

    async def shown(self, position: Position) -> None:
        """Wait until the hook table shows what was stored, so that who asked for it sees it."""
        await self._hooks.wait_for(position, timeout=_TABLE_WAIT)
