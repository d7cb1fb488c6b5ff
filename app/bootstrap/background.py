"""The tasks of a server that no request starts: following, delivering, signing, keeping ready."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence

from app.application.invoking.invoke import Invoker
from app.bootstrap.ambient import utc_now
from app.bootstrap.engine import Engine
from app.bootstrap.forges import open_status_reporters
from app.bootstrap.sources import Sources
from app.bootstrap.storage import Storage
from app.bootstrap.stores import Stores
from app.bootstrap.transparency import keep_signing
from app.bootstrap.upkeep import (
    first_sync,
    keep_packages,
    keep_warm,
    remove_leftovers,
    wait_to_serve,
)
from app.queue.consumer import Consumer
from app.queue.schedules import exponential
from app.vault.issuers import TrustedIssuers
from config.settings import Settings

Running = Sequence[asyncio.Task[None]]


@contextlib.asynccontextmanager
async def in_background(
    storage: Storage, stores: Stores, engine: Engine, invoker: Invoker, trusted: TrustedIssuers
) -> AsyncIterator[Running]:
    """Start them, and enter once there is something to serve; on exit all have ended.

    Yields those that end only with the server.
    """
    settings, sources = storage.settings, engine.sources
    watched = {each.id: each.watcher for each in sources.all}
    with open_status_reporters(settings, storage, watched) as reporters:
        async with asyncio.TaskGroup() as tasks:
            looked = asyncio.Event()
            keeping = tasks.create_task(keep_packages(engine, invoker, looked), name="packages")
            starting = [
                tasks.create_task(first_sync(each, looked), name=sources.label("first-sync", each))
                for each in sources.all
            ]
            await wait_to_serve(sources, starting)
            running = [
                keeping,
                tasks.create_task(trusted.run(), name="issuer-keys"),
                tasks.create_task(keep_warm(storage, invoker), name="keep-warm"),
                *_following(tasks, sources),
                tasks.create_task(_consumer(settings, stores, invoker).run(), name="deliver"),
                tasks.create_task(
                    keep_signing(stores.prover, settings.checkpoint_interval), name="checkpoints"
                ),
                *(tasks.create_task(each.run(), name="statuses") for each in reporters),
            ]
            leftovers = tasks.create_task(remove_leftovers(storage), name="old-tables")
            yield running
            for task in (*running, *starting, leftovers):
                task.cancel()


def _following(tasks: asyncio.TaskGroup, sources: Sources) -> Iterator[asyncio.Task[None]]:
    for each in sources.all:
        for name, work in (("watch", each.watcher), ("keep-in-step", each.keeper)):
            yield tasks.create_task(work.run(), name=sources.label(name, each))


def _consumer(settings: Settings, stores: Stores, invoker: Invoker) -> Consumer:
    return Consumer(
        stores.queue,
        invoker.deliver,
        utc_now,
        concurrency=settings.queue_concurrency,
        schedule=exponential(attempts=settings.queue_attempts),
    )
