"""The part that runs hooks and follows repositories: storage, workers, sources."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from app.application.invoking.run_fixtures import (
    FixtureResult,
    check_script,
    install_packages,
    run_fixture,
)
from app.application.ports import Vault
from app.application.syncing.progress import OnStage, log_large_stages
from app.bootstrap.ambient import new_id, utc_now
from app.bootstrap.followed import Surroundings
from app.bootstrap.packages import ignore_progress, package_cache
from app.bootstrap.sources import Sources, open_sources
from app.bootstrap.storage import Storage, open_age_identities
from app.domain.documents.packages import OnInstall
from app.domain.outcomes import LogLine
from app.domain.triggers.catalogue import contract_of
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
    sources: Sources
    runner: IsolatedRunner
    packages: PackageCache
    age: AgeIdentities


@contextlib.asynccontextmanager
async def open_engine(
    storage: Storage,
    on_log: Callable[[LogLine], None] = lambda _: None,
    on_install: OnInstall = ignore_progress,
    vault: Vault | None = None,
    on_stage: OnStage = log_large_stages,
) -> AsyncIterator[Engine]:
    """Start workers and open all repositories; raise ``Stalled`` if either cannot be had."""
    settings = storage.settings
    packages = package_cache(settings, on_install)
    async with open_runner(settings, on_log) as runner:
        with open_age_identities(settings, storage.vault) as age:
            common = Surroundings(
                storage=storage,
                runner=runner,
                packages=packages,
                vault=vault or storage.vault,
                age=age,
                on_stage=on_stage,
            )
            with open_sources(common) as sources:
                yield Engine(storage, sources, runner, packages, age)


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
