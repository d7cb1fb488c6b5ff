"""The part that runs hooks and follows the repository: storage, workers, reconciler, watcher."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from app.application.commit_files import FileCommitter
from app.application.keep_in_step import StepKeeper
from app.application.ports import Vault
from app.application.reconcile import Reconciler
from app.application.run_fixtures import (
    FixtureResult,
    check_script,
    install_packages,
    run_fixture,
)
from app.application.sealed_secrets import SealedSecrets
from app.application.sync_results import SourceSettings
from app.application.views import ActiveTable
from app.bootstrap.ambient import new_id, utc_now
from app.bootstrap.packages import ignore_progress, package_cache
from app.bootstrap.repositories import (
    Repository,
    open_repository,
    open_watcher,
    open_writer,
    source_settings,
)
from app.bootstrap.storage import Storage, open_age_identities
from app.domain.errors import Rejected
from app.domain.outcomes import LogLine
from app.domain.packages import OnInstall
from app.domain.trigger_catalogue import contract_of
from app.gitops.watcher import Watcher
from app.gitops.worktree import read_worktree
from app.runtime.dependencies.cache import PackageCache
from app.runtime.egress.gateway import Gateway
from app.runtime.node_binary import find_node
from app.runtime.runner import IsolatedRunner
from app.vault.age import AgeIdentities
from config.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Engine:
    """What turns commits into hooks that run."""

    storage: Storage
    source: SourceSettings
    runner: IsolatedRunner
    packages: PackageCache
    repository: Repository
    reconciler: Reconciler
    watcher: Watcher
    committer: FileCommitter | None
    """None where the repository is only read."""
    age: AgeIdentities
    keeper: StepKeeper

    async def refresh(self) -> None:
        """Fetch, if there is anything to fetch from; raise ``Stalled`` or ``Transient``."""
        await asyncio.to_thread(self.repository.refresh)

    async def follow(self) -> None:
        """Follow the branch, and keep in step with people and the clock, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.keeper.run())
            await self.watcher.run()


@contextlib.asynccontextmanager
async def open_engine(
    storage: Storage,
    on_log: Callable[[LogLine], None] = lambda _: None,
    on_install: OnInstall = ignore_progress,
    vault: Vault | None = None,
) -> AsyncIterator[Engine]:
    """Start workers and open the repository; raise ``Stalled`` if either cannot be had."""
    settings = storage.settings
    source = source_settings(settings)
    packages = package_cache(settings, on_install)
    async with open_runner(settings, on_log) as runner:
        repository = open_repository(settings, source)
        with contextlib.closing(repository), open_age_identities(settings, storage.vault) as age:
            reconciler = Reconciler(
                source,
                repository=repository,
                ledger=storage.ledger,
                hooks=storage.hooks,
                runner=runner,
                packages=packages,
                vault=vault or storage.vault,
                secrets=SealedSecrets(storage.vault, age),
                clock=utc_now,
                new_id=new_id,
                reread=bool(settings.keywords) or settings.repo_format != "auto",
            )

            async def reconcile() -> None:
                """Sync; a refused commit is settled: it is recorded, and only git mends it."""
                with contextlib.suppress(Rejected):
                    await reconciler.sync()

            watcher = open_watcher(settings, repository, reconcile)
            writer = open_writer(settings, source)
            committer = None
            if writer is not None:
                committer = FileCommitter(
                    path=source.path,
                    repository=repository,
                    writer=writer,
                    plan=reconciler.plan,
                    sync=reconciler.sync,
                )
            keeper = StepKeeper(
                source,
                storage.hooks,
                compare=reconciler.compare,
                hint=watcher.hint,
                clock=utc_now,
            )
            _tell(storage, keeper)
            yield Engine(
                storage,
                source,
                runner,
                packages,
                repository,
                reconciler,
                watcher,
                committer,
                age,
                keeper,
            )


def _tell(storage: Storage, keeper: StepKeeper) -> None:
    """Tell the keeper of every new table."""
    loop = asyncio.get_running_loop()

    def tell(_: ActiveTable) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(keeper.changed.set)

    storage.hooks.on_change(tell)


@contextlib.asynccontextmanager
async def open_runner(
    settings: Settings, on_log: Callable[[LogLine], None] = lambda _: None
) -> AsyncIterator[IsolatedRunner]:
    """Start the zygote; on exit every worker has ended."""
    settings.packages_root.mkdir(parents=True, exist_ok=True)
    settings.packages_root.chmod(0o755)  # hooks read their packages as other users
    runner = IsolatedRunner(
        isolation=settings.isolation,
        on_log=on_log,
        clock=utc_now,
        worker_uid_base=settings.worker_uid_base,
        max_workers_total=settings.max_workers,
        max_memory=settings.max_memory,
        data_dir=settings.data_dir,
        node=await asyncio.to_thread(find_node, settings.node),
        packages_root=settings.packages_root,
        gateway=Gateway(opened=settings.egress_private_networks, authorities_file=settings.ca_file),
    )
    await runner.start()
    try:
        yield runner
    finally:
        await runner.stop()


async def run_all_fixtures(
    path: Path, on_install: OnInstall = ignore_progress
) -> list[FixtureResult]:
    """Run the fixtures of every hook at or below ``path``, a folder of a work tree.

    Raises ``Rejected`` when a manifest, script, package or fixture cannot be used, ``NotFound``
    when there is no hook.
    """
    results = []
    settings = load_settings()
    packages = package_cache(settings, on_install)
    repository, hooks = read_worktree(path)
    definitions = {trigger.id: trigger.text for trigger in repository.triggers}
    async with open_runner(settings) as runner:
        for hook, fixtures in hooks:
            await check_script(runner, hook)
            await install_packages(packages, hook)
            contract = contract_of(hook.trigger, definitions.get(hook.trigger))
            results += [
                await run_fixture(runner, packages, contract, hook, fixture, new_id)
                for fixture in fixtures
            ]
    return results
