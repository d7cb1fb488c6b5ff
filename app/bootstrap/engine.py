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
from app.bootstrap.forges import signature_check
from app.bootstrap.packages import ignore_progress, package_cache
from app.bootstrap.storage import Storage, open_age_identities
from app.bootstrap.sync_policy import sync_policy
from app.domain.errors import Rejected, Stalled
from app.domain.outcomes import LogLine
from app.domain.packages import OnInstall
from app.domain.trigger_catalogue import contract_of
from app.gitops.formats.choice import FormatSettings
from app.gitops.local_branch import LocalBranch
from app.gitops.new_commits import Person
from app.gitops.signatures.signing import SigningKey
from app.gitops.source import LocalRepository, current_branch
from app.gitops.watcher import Watcher
from app.gitops.worktree import read_worktree
from app.gitops.write_back import WriteBack
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
    repository: LocalRepository
    reconciler: Reconciler
    watcher: Watcher
    committer: FileCommitter
    age: AgeIdentities
    keeper: StepKeeper

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
        repository = local_repository(settings, source)
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

            watcher = Watcher(
                tip=repository.tip,
                reconcile=reconcile,
                refs=repository.refs,
                heartbeat=settings.poll_interval,
                clock=utc_now,
            )
            committer = FileCommitter(
                path=source.path,
                repository=repository,
                writer=_writer(settings, source),
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


def local_repository(settings: Settings, source: SourceSettings) -> LocalRepository:
    """Make the reader of the followed repository; touches no files yet."""
    return LocalRepository(
        location=Path(source.location),
        branch=source.branch,
        path=source.path,
        mirror_dir=_mirror_dir(settings, source),
        signatures=signature_check(settings),
        formats=FormatSettings(settings.repo_format, settings.keywords),
    )


def _tell(storage: Storage, keeper: StepKeeper) -> None:
    """Tell the keeper of every new table."""
    loop = asyncio.get_running_loop()

    def tell(_: ActiveTable) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(keeper.changed.set)

    storage.hooks.on_change(tell)


def _mirror_dir(settings: Settings, source: SourceSettings) -> Path:
    return settings.data_dir / "mirrors" / source.id


def _writer(settings: Settings, source: SourceSettings) -> WriteBack:
    key = settings.committer_key
    return WriteBack(
        _mirror_dir(settings, source),
        LocalBranch(Path(source.location), source.branch),
        Person(settings.committer_name, settings.committer_email),
        utc_now,
        sign=SigningKey.read(Path(key).expanduser()).sign if key else None,
    )


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


def source_settings(settings: Settings) -> SourceSettings:
    """Say which repository is followed; raise ``Stalled`` when there is none."""
    location = settings.repo.expanduser().resolve()
    if not location.is_dir():
        raise Stalled(f"There is no repository at {location}; set HOOKLEDGER_REPO.")
    return SourceSettings(
        id=settings.source,
        location=str(location),
        branch=settings.branch or current_branch(location),
        path=settings.repo_path.strip("/"),
        policy=sync_policy(settings.sync_policy),
    )


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
