"""One followed source: its repository, and what brings it into force and keeps it there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import anyio
import anyio.to_thread

from app.application.ports import Vault
from app.application.syncing.approve_plan import approve_plan
from app.application.syncing.commit_files import FileCommitter
from app.application.syncing.keep_in_step import StepKeeper
from app.application.syncing.preview_plan import Preview
from app.application.syncing.progress import OnStage, log_large_stages
from app.application.syncing.reconcile import Reconciler
from app.application.syncing.results import SourceSettings, SyncResult
from app.application.syncing.sealed_secrets import SealedSecrets
from app.application.syncing.source_status import source_status
from app.application.syncing.status import SourceStatus, Watch, Work
from app.application.syncing.suspend_source import resume_source, suspend_source
from app.application.views import ActiveTable
from app.bootstrap.ambient import new_id, utc_now
from app.bootstrap.repositories import (
    Repository,
    open_repository,
    open_watcher,
    open_writer,
)
from app.bootstrap.storage import Storage
from app.domain.aggregates import Meta
from app.domain.errors import Rejected, Stalled, Transient
from app.domain.revisions import Position
from app.gitops.watcher import Watcher
from app.runtime.dependencies.cache import PackageCache
from app.runtime.runner import IsolatedRunner
from app.vault.age import AgeIdentities

_LOOKS = 2
"""Threads of each source for looks at its branch: one that hangs takes none from any other."""


def _own_threads() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(_LOOKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all sources have in common."""

    storage: Storage
    runner: IsolatedRunner
    packages: PackageCache
    vault: Vault
    age: AgeIdentities
    on_stage: OnStage = log_large_stages


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedSource:
    """Implements ``app.web.protocol.services.SourceDesk``."""

    settings: SourceSettings
    surroundings: Surroundings
    repository: Repository
    reconciler: Reconciler
    watcher: Watcher
    committer: FileCommitter | None
    """None where the repository is only read."""
    keeper: StepKeeper
    threads: anyio.CapacityLimiter = field(default_factory=_own_threads)

    @property
    def id(self) -> str:
        return self.settings.id

    async def follow(self) -> None:
        """Follow the branch, and keep in step with people and the clock, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.keeper.run())
            tasks.create_task(self.watcher.run())

    def status(self) -> SourceStatus:
        """Say where it stands; from memory."""
        seen = self.watcher.status
        return source_status(
            self.settings,
            self.surroundings.storage.hooks.table,
            Watch(seen.tried, seen.last_success, seen.last_error),
            Work(self.reconciler.operation, self.reconciler.drift),
            self.surroundings.packages,
            utc_now(),
        )

    async def sync(self) -> SyncResult:
        """Apply the branch's tip now; a remote one is fetched first.

        Raises ``Rejected``, ``Stalled`` or ``Transient``; the watcher then takes it up again.
        """
        try:
            await self._refresh()
            result = await self.reconciler.sync()
        except (Stalled, Transient):
            self.watcher.hint()
            raise
        if self.watcher.status.last_error is not None:
            self.watcher.hint()
        return result

    async def preview(self, ref: str | None) -> Preview:
        """Say what applying ``ref`` (default: the branch's tip) would do."""
        if ref is None:
            await self._refresh()
        return await self.reconciler.preview(ref)

    async def suspend(self, until: datetime | None, meta: Meta) -> Position:
        """Apply nothing by itself until then."""

        def suspend() -> Position:
            ledger = self.surroundings.storage.ledger
            return suspend_source(ledger, self.settings, meta, until=until, now=utc_now())

        return await anyio.to_thread.run_sync(suspend)

    async def resume(self, meta: Meta) -> Position:
        """Follow the branch again; the keeper has its tip applied."""
        ledger = self.surroundings.storage.ledger
        return await anyio.to_thread.run_sync(resume_source, ledger, self.settings, meta)

    async def approve(self, digest: str, meta: Meta) -> SyncResult:
        """Approve the held plan, and apply it."""
        ledger = self.surroundings.storage.ledger
        await anyio.to_thread.run_sync(approve_plan, ledger, self.settings, digest, meta)
        return await self.reconciler.sync()

    async def roll_back(self, commit: str, meta: Meta) -> SyncResult:
        """Put a formerly applied commit in force again."""
        return await self.reconciler.roll_back(commit, meta)

    async def _refresh(self) -> None:
        """Fetch, if there is anything to fetch from."""
        await anyio.to_thread.run_sync(
            self.repository.refresh, limiter=self.threads, abandon_on_cancel=True
        )


@contextlib.contextmanager
def open_followed(source: SourceSettings, common: Surroundings) -> Iterator[FollowedSource]:
    """Open a source's repository, for use in the running event loop."""
    storage = common.storage
    table = storage.settings.followed[source.id]
    with contextlib.closing(open_repository(storage.settings, source)) as repository:
        reconciler = Reconciler(
            source,
            repository=repository,
            ledger=storage.ledger,
            hooks=storage.hooks,
            runner=common.runner,
            packages=common.packages,
            vault=common.vault,
            secrets=SealedSecrets(storage.vault, common.age),
            clock=utc_now,
            new_id=new_id,
            reread=bool(table.keywords) or table.format != "auto",
            on_stage=common.on_stage,
        )

        async def reconcile() -> None:
            """Sync; a refused commit is settled: it is recorded, and only git mends it."""
            with contextlib.suppress(Rejected):
                await reconciler.sync()

        threads = _own_threads()
        watcher = open_watcher(table, repository, reconcile, threads)
        keeper = StepKeeper(
            source, storage.hooks, compare=reconciler.compare, hint=watcher.hint, clock=utc_now
        )
        _tell(storage, keeper)
        yield FollowedSource(
            settings=source,
            surroundings=common,
            repository=repository,
            reconciler=reconciler,
            watcher=watcher,
            committer=_committer(storage, source, repository, reconciler),
            keeper=keeper,
            threads=threads,
        )


def _committer(
    storage: Storage, source: SourceSettings, repository: Repository, reconciler: Reconciler
) -> FileCommitter | None:
    writer = open_writer(storage.settings, source, repository)
    if writer is None:
        return None
    return FileCommitter(
        path=source.path,
        repository=repository,
        writer=writer,
        plan=reconciler.plan,
        sync=reconciler.sync,
    )


def _tell(storage: Storage, keeper: StepKeeper) -> None:
    """Tell the keeper of every new table."""
    loop = asyncio.get_running_loop()

    def tell(_: ActiveTable) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(keeper.changed.set)

    storage.hooks.on_change(tell)
