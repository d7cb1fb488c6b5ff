"""The cache of packages, and the task that keeps in it what enabled hooks need."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from app.application.invoking.install_packages import missing, sweep
from app.application.ports import Packages
from app.application.views import HookRow
from app.domain.documents.packages import OnInstall, PackageSet
from app.domain.errors import HookledgerError
from app.runtime.dependencies.cache import PackageCache
from app.runtime.dependencies.npm import NpmInstaller
from app.runtime.dependencies.pip import PipInstaller
from app.runtime.dependencies.processes import Limits
from config.settings import Settings, registry_variables

_MAX_FILES = 50_000
_LOOK_SECONDS = 60.0

_log = logging.getLogger("hookledger.packages")

Rows = Callable[[], tuple[HookRow, ...]]


def ignore_progress(_number: int, _total: int, _packages: PackageSet) -> None:
    """Tell nobody; the log tells."""


def package_cache(settings: Settings, on_install: OnInstall = ignore_progress) -> PackageCache:
    """Make the cache that the settings describe."""
    return PackageCache(
        settings.packages_root,
        {"python": PipInstaller(), "node": NpmInstaller(settings.node)},
        limits=Limits(
            seconds=settings.install_timeout,
            size=settings.install_megabytes << 20,
            files=_MAX_FILES,
        ),
        registries=registry_variables(),
        concurrency=settings.install_concurrency,
        on_install=on_install,
    )


async def keep_installed(
    packages: Packages,
    *,
    existing: Rows,
    enabled: Rows,
    restored: Callable[[], Awaitable[None]],
    looked: asyncio.Event,
) -> None:
    """Look every minute whether an enabled hook lacks its packages; sweep what nobody needs, once.

    They are missing when the cache was deleted, or lies on another machine than the ledger. Until
    they are there again the hook answers that, and the others serve. ``looked`` is set when all
    has been tried once.
    """
    while True:
        if lacking := missing(packages, enabled()):
            await _try(packages.ensure(lacking), "packages_not_restored")
            await restored()
        if not looked.is_set():
            looked.set()
            await _try(sweep(packages, existing()), "packages_not_swept")
        await asyncio.sleep(_LOOK_SECONDS)


async def _try(work: Awaitable[object], failure: str) -> None:
    try:
        await work
    except (HookledgerError, OSError) as error:
        _log.warning(failure, extra={"reason": str(error)})
