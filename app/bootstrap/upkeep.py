"""What a server does by itself: first sync, processes kept ready, packages kept installed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Coroutine

from app.application.invoking.invoke import Invoker
from app.application.views import ActiveTable
from app.bootstrap.engine import Engine
from app.bootstrap.followed import FollowedSource
from app.bootstrap.packages import keep_installed
from app.bootstrap.sources import Sources
from app.bootstrap.storage import (
    Storage,
)
from app.domain.errors import HookledgerError
from projections.old_layouts import remove_old_layouts

_log = logging.getLogger("hookledger.server")

_START_SECONDS = 30.0
"""How long the port stays closed for the first sync; a slow registry must not keep it closed."""
_PATIENCE_SECONDS = 5.0
"""The same, when hooks are in force: a forge that hangs must not keep the others from running."""


async def first_sync(source: FollowedSource, looked: asyncio.Event) -> None:
    """Bring the ledger to the branch's tip; what fails is in ``/v1/sync`` and tried again.

    What is in force comes first: if the cache of packages was deleted, it is filled again.
    """
    await looked.wait()
    try:
        await source.sync()
    except HookledgerError as error:
        _log.warning("first_sync_failed", extra={"source": source.id, "reason": str(error)})


async def wait_to_serve(sources: Sources, starting: Collection[asyncio.Task[None]]) -> None:
    """Wait for all first syncs, but not long for any once there is something to serve."""
    _, left = await asyncio.wait(starting, timeout=_PATIENCE_SECONDS)
    if left and not sources.is_any_in_force():
        longest = _START_SECONDS - _PATIENCE_SECONDS
        await asyncio.wait(left, timeout=longest, return_when=asyncio.FIRST_COMPLETED)


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


async def remove_leftovers(storage: Storage) -> None:
    """Remove what views of older layouts left, a little at a time; the next start goes on."""
    views = (storage.stored_hooks, storage.stored_audit, storage.transparency)
    steps = remove_old_layouts(storage.stored_audit.database, views)
    try:
        while (pause := await asyncio.to_thread(next, steps, None)) is not None:  # noqa: ASYNC110 (others get time)
            await asyncio.sleep(pause)
    except HookledgerError as error:
        _log.warning("old_tables_stay", extra={"reason": str(error)})


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
