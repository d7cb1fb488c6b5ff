"""Bring the ledger to what a commit says: resolve, read, plan, check, install, apply.

Level-based: every run starts from the branch's tip and the applied tree, never from a notice. A
revision is applied whole, in one transaction, or refused whole with every reason.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from app.application.apply_plan import PlanApplication
from app.application.install_packages import install_for
from app.application.ledger import Ledger
from app.application.ports import HookTable, Packages, Runner, SourceRepository, Vault
from app.application.revisions import (
    active_hook,
    active_triggers,
    desired_contract,
    revision_meta,
    scripts_to_check,
)
from app.application.run_fixtures import failing_fixtures
from app.application.sealed_secrets import SealedSecrets
from app.application.versions import versions_to_come
from app.application.views import ActiveTable, SourceRow
from app.domain.aggregates import Meta
from app.domain.errors import HookledgerError, Problem, Rejected, Transient
from app.domain.planning import plan
from app.domain.plans import ChangeKind, DesiredState, Plan
from app.domain.revisions import CommitSha, Position, TreeSha
from app.domain.sources import Source, SyncRun

_log = logging.getLogger("hookledger.reconcile")

_TABLE_WAIT = 10.0
"""Seconds the table may take to catch up with the ledger before a run gives up for now."""


class SyncStatus(enum.StrEnum):
    """How a run ended."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Which repository is followed, as the operator configured it."""

    id: str
    location: str
    branch: str
    path: str

    @property
    def owner(self) -> str:
        """Owner of the hooks that come from here."""
        return f"source:{self.id}"


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a run did."""

    status: SyncStatus
    commit: CommitSha
    position: Position
    plan: Plan | None


class Reconciler:
    """The use case for one source; a run waits for the one before it."""

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
        new_id: Callable[[], str],
    ) -> None:
        self._source = source
        self._repository = repository
        self._ledger = ledger
        self._hooks = hooks
        self._runner = runner
        self._packages = packages
        self._vault = vault
        self._secrets = secrets
        self._new_id = new_id
        self._running = anyio.Lock()

    async def plan(self, ref: str | None = None) -> Plan:
        """Say what applying ``ref`` (default: the branch's tip) would do, and change nothing.

        Raises ``NotFound`` for an unknown ref, ``Rejected`` with every problem, ``Stalled`` or
        ``Transient`` when the repository cannot be read.
        """
        if ref is None:
            commit = await anyio.to_thread.run_sync(self._repository.tip)
        else:
            commit = await anyio.to_thread.run_sync(self._repository.resolve, ref)
        table = await self._current_table()
        _, planned = await self._decide(commit, table, since=None, install=False)
        return planned

    async def sync(self) -> SyncResult:
        """Apply the branch's tip, or record why it is refused.

        Raises ``Rejected`` (recorded in the ledger), ``Stalled`` or ``Transient``.
        """
        async with self._running:
            return await self._sync()

    async def _sync(self) -> SyncResult:
        while True:
            commit = await anyio.to_thread.run_sync(self._repository.tip)
            table = await self._current_table()
            applied = table.sources.get(self._source.id)
            if applied is not None and applied.applied == commit and applied.rejected is None:
                return SyncResult(SyncStatus.UNCHANGED, commit, table.position, None)
            result = await self._sync_to(commit, table, applied)
            if result is not None:
                return result

    async def _sync_to(
        self, commit: CommitSha, table: ActiveTable, applied: SourceRow | None
    ) -> SyncResult | None:
        since = TreeSha(applied.tree) if applied is not None and applied.tree is not None else None
        if applied is not None and not self._same_place(applied):
            since = None
        try:
            desired, planned = await self._decide(commit, table, since, install=True)
        except Rejected as refusal:
            await anyio.to_thread.run_sync(self._reject, commit, refusal.problems)
            _log.warning("revision_rejected", extra={"commit": commit, "reason": str(refusal)})
            raise
        if since == desired.tree and applied is not None and applied.rejected is None:
            return SyncResult(SyncStatus.UNCHANGED, commit, table.position, planned)
        created = {
            change.name: self._new_id()
            for change in planned.changes
            if change.kind is ChangeKind.CREATE
        }
        # All checks are passed: processes start while the revision is being stored.
        self._runner.expect(versions_to_come(planned, created, table, self._vault, self._packages))
        position = await anyio.to_thread.run_sync(
            self._apply, desired, planned, created, table.position
        )
        if position is None:
            return None
        _log.info("revision_applied", extra={"commit": commit, **planned.counts})
        return SyncResult(SyncStatus.APPLIED, commit, position, planned)

    async def _decide(
        self, commit: CommitSha, table: ActiveTable, since: TreeSha | None, *, install: bool
    ) -> tuple[DesiredState, Plan]:
        signer = await anyio.to_thread.run_sync(
            self._repository.verify, commit, self._verified(table)
        )
        desired = await anyio.to_thread.run_sync(self._repository.desired, commit, since)
        desired = replace(desired, signer=signer)
        problems: list[Problem] = []
        active = [active_hook(row) for row in table.hooks.values()]
        try:
            planned = plan(
                desired, active, owner=self._source.owner, triggers=active_triggers(table)
            )
        except Rejected as refusal:
            problems += refusal.problems
            planned = Plan(desired.commit, desired.tree, ())
        else:
            added = partial(self._secrets.added, desired, planned, table)
            planned, refused = await anyio.to_thread.run_sync(added)
            problems += refused
        problems += await self._runner.check(list(scripts_to_check(desired, table)))
        if install:
            problems += await install_for(self._packages, desired.hooks)
        if not problems:
            contract = partial(desired_contract, desired, table)
            problems += await failing_fixtures(
                self._runner, self._packages, desired.hooks, contract, self._new_id
            )
        if problems:
            raise Rejected(
                f"Commit {commit[:12]} is refused; what was in force before stays in force.",
                problems=[self._in_repository(problem) for problem in problems],
            )
        return desired, planned

    def _apply(
        self,
        desired: DesiredState,
        planned: Plan,
        created: Mapping[str, str],
        seen: Position,
    ) -> Position | None:
        """Record the plan; None if the ledger moved on since it was decided.

        The head is compared after loading, so that was what the plan was decided on; what changes
        between here and the save has another version and is refused by the store.
        """
        attempts: list[PlanApplication] = []

        def command() -> Position | None:
            if attempts:
                self._destroy(attempts[-1].made_keys)  # it lost a race, so nothing was stored
            work = PlanApplication(self._ledger, self._vault, created, self._source.owner)
            attempts.append(work)
            try:
                work.apply(planned)
            except HookledgerError:
                if self._ledger.head() != seen:
                    return None
                raise
            source, run = self._load_source(), self._run_of(desired, planned)
            source.apply_revision(
                commit=desired.commit,
                tree=desired.tree,
                branch=self._source.branch,
                plan_digest=planned.digest,
                counts=planned.counts,
            )
            if self._ledger.head() != seen:
                return None
            return self._ledger.record(*work.aggregates, run, source)

        position = self._ledger.attempt(revision_meta(self._source.id, desired), command)
        work = attempts[-1]
        self._destroy(work.made_keys if position is None else work.destroyed_keys)
        return position

    def _destroy(self, keys: Collection[str]) -> None:
        if keys:
            self._vault.destroy(keys)

    def _run_of(self, desired: DesiredState, planned: Plan) -> SyncRun:
        changes: list[dict[str, Any]] = [change.described() for change in planned.changes]
        changes += [{"kind": "secret"} | change.described() for change in planned.secrets]
        run = self._ledger.find(SyncRun, SyncRun.create_id(self._source.id, desired.commit))
        if run is None:
            return SyncRun(source=self._source.id, commit=desired.commit, changes=changes)
        run.repeat(changes)
        return run

    def _reject(self, commit: CommitSha, problems: tuple[Problem, ...]) -> None:
        def command() -> None:
            source = self._load_source()
            source.reject_revision(commit=commit, branch=self._source.branch, problems=problems)
            self._ledger.record(source)

        self._ledger.attempt(Meta(actor=self._source.owner, origin="git"), command)

    def _load_source(self) -> Source:
        found = self._ledger.find(Source, Source.create_id(self._source.id))
        if found is not None:
            return found
        return Source(
            source=self._source.id,
            location=self._source.location,
            branch=self._source.branch,
            path=self._source.path,
        )

    async def _current_table(self) -> ActiveTable:
        head = await anyio.to_thread.run_sync(self._ledger.head)
        if not await self._hooks.wait_for(head, timeout=_TABLE_WAIT):
            raise Transient("The hook table has not caught up with the ledger yet.")
        return self._hooks.table

    def _verified(self, table: ActiveTable) -> CommitSha | None:
        """Return the commit up to which signatures were judged: the one that is in force."""
        row = table.sources.get(self._source.id)
        if row is None or row.applied is None or not self._same_place(row):
            return None
        return CommitSha(row.applied)

    def _same_place(self, row: SourceRow) -> bool:
        return (row.location, row.path) == (self._source.location, self._source.path)

    def _in_repository(self, problem: Problem) -> Problem:
        """Name files as the repository's root sees them."""
        if problem.file is None or not self._source.path:
            return problem
        if problem.file.startswith(f"{self._source.path}/"):
            return problem
        return replace(problem, file=f"{self._source.path}/{problem.file}")
