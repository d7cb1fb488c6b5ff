"""What a server does by itself: first sync, processes kept ready, packages kept installed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine

from app.application.invoke import Invoker
from app.application.views import ActiveTable
from app.bootstrap.engine import Engine
from app.bootstrap.packages import keep_installed
from app.bootstrap.storage import (
    Storage,
)
from app.domain.errors import HookledgerError

_log = logging.getLogger("hookledger.server")


async def first_sync(engine: Engine, looked: asyncio.Event) -> None:
    """Bring the ledger to the branch's tip; what fails is in ``/v1/sync`` and tried again.

    What is in force comes first: if the cache of packages was deleted, it is filled again.
    """
    await looked.wait()
    try:
        await engine.refresh()
        await engine.reconciler.sync()
    except HookledgerError as error:
        _log.warning("first_sync_failed", extra={"reason": str(error)})


def keep_packages(
    engine: Engine, invoker: Invoker, looked: asyncio.Event
) -> Coroutine[None, None, None]:
    """Have installed what enabled hooks depend on."""
    return keep_installed(
        engine.packages,
        existing=lambda: tuple(engine.storage.hooks.table.hooks.values()),
        enabled=invoker.active_versions,
        restored=invoker.warm,
        looked=looked,
    )


async def keep_warm(storage: Storage, invoker: Invoker) -> None:
    """Have workers ready for what the newest table enables."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def tell(_: ActiveTable) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(changed.set)

    storage.hooks.on_change(tell)
    while True:
        try:
            await invoker.warm()
        except Exception:  # noqa: BLE001 (an optimisation must not end the server)
            _log.exception("workers could not be prepared; they start when they are needed")
        await changed.wait()
        changed.clear()
