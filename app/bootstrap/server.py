"""The whole server: engine, queue, journal and HTTP, from start to a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from importlib.metadata import version

import anyio.to_thread
import uvicorn
from prometheus_client import CollectorRegistry

from app.application.invoke import Invoker
from app.application.manage_clients import Credentials, create_client, revoke_client
from app.application.status import SourceStatus, Watch, source_status
from app.application.views import ActiveTable
from app.bootstrap.ambient import cli_meta, new_id, utc_now
from app.bootstrap.engine import Engine, open_engine
from app.bootstrap.metrics import CountingJournal, EgressCollector, StateCollector, expose
from app.bootstrap.readiness import readiness
from app.bootstrap.storage import Storage, open_journal, open_queue, open_storage
from app.domain.clients import SCOPES
from app.domain.errors import HookledgerError, Stalled
from app.queue.consumer import Consumer
from app.queue.schedules import exponential
from app.telemetry import set_up_logging
from app.web.connections import OneWriteProtocol
from app.web.routes import build_app
from app.web.services import WebServices
from config.settings import Settings

_log = logging.getLogger("hookledger.server")

QUICKSTART_CLIENT = "quickstart"
_ORPHAN_AGE = timedelta(hours=1)
_STOP_SECONDS = 10
_SWITCH_SECONDS = 0.0005
"""How long a background thread (journal, projections) may hold up the event loop; Python's 5 ms
would be the slowest answers."""

Started = Callable[[str, Credentials | None], None]
"""Told the server's address, and the credentials that ``--quickstart`` made."""


async def serve_until_stopped(settings: Settings, *, quickstart: bool, started: Started) -> None:
    """Serve until SIGTERM or SIGINT; raise ``Stalled`` if something needed cannot be had.

    The first sync has been tried before the port opens, so that a server that answers has hooks.
    """
    set_up_logging(settings.log_level, settings.log_format)
    sys.setswitchinterval(_SWITCH_SECONDS)
    with open_storage(settings) as storage:
        _sweep(storage)
        credentials = _quickstart_client(storage) if quickstart else None
        async with open_services(storage) as services:
            server = _Server(
                uvicorn.Config(
                    build_app(services),
                    host=settings.host,
                    port=settings.port,
                    loop="uvloop",
                    http=OneWriteProtocol,
                    lifespan="off",
                    access_log=False,
                    log_config=None,
                    server_header=False,
                    proxy_headers=False,
                    date_header=True,
                    timeout_keep_alive=30,
                    timeout_graceful_shutdown=_STOP_SECONDS,
                ),
                partial(_announce, settings, credentials, started),
            )
            gc.collect()
            gc.freeze()  # what lives as long as the server need not be looked at again and again
            await server.serve()
    if server.failure is not None:
        raise server.failure


@contextlib.asynccontextmanager
async def open_services(storage: Storage) -> AsyncIterator[WebServices]:
    """Start everything an endpoint needs; on exit deliveries are finished and workers ended."""
    settings = storage.settings
    registry = CollectorRegistry()
    with open_journal(settings) as stored, open_queue(settings, storage.vault) as queue:
        journal = CountingJournal(stored, registry)
        registry.register(StateCollector(storage, queue, stored))
        async with open_engine(storage, journal.log) as engine, asyncio.TaskGroup() as tasks:
            registry.register(EgressCollector(engine.runner.egress))
            await _first_sync(engine)
            invoker = Invoker(
                hooks=storage.hooks,
                runner=engine.runner,
                vault=storage.vault,
                journal=journal,
                queue=queue,
                clock=utc_now,
                new_id=new_id,
            )
            consumer = Consumer(
                queue,
                invoker.deliver,
                utc_now,
                concurrency=settings.queue_concurrency,
                schedule=exponential(attempts=settings.queue_attempts),
            )
            running = [
                tasks.create_task(_keep_warm(storage, invoker), name="keep-warm"),
                tasks.create_task(engine.watcher.run(), name="watch"),
                tasks.create_task(consumer.run(), name="deliver"),
            ]
            yield WebServices(
                invoker=invoker,
                hooks=storage.hooks,
                audit=storage.audit,
                journal=journal,
                sources=partial(_sources, engine),
                sync_now=engine.reconciler.sync,
                plan=engine.reconciler.plan,
                readiness=partial(readiness, engine, running),
                metrics=partial(expose, registry),
                version=version("hookledger"),
            )
            for task in running:
                task.cancel()


async def _first_sync(engine: Engine) -> None:
    """Bring the ledger to the branch's tip; what fails is in ``/v1/sync`` and tried again."""
    try:
        await engine.reconciler.sync()
    except HookledgerError as error:
        _log.warning("first_sync_failed", extra={"reason": str(error)})


async def _keep_warm(storage: Storage, invoker: Invoker) -> None:
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


def _sources(engine: Engine) -> Sequence[SourceStatus]:
    seen = engine.watcher.status
    row = engine.storage.hooks.table.sources.get(engine.source.id)
    return (
        source_status(engine.source, row, Watch(seen.tried, seen.last_success, seen.last_error)),
    )


def _sweep(storage: Storage) -> None:
    """Destroy data keys that a crash left without a secret."""
    known = {
        secret.key_id
        for hook in storage.hooks.table.hooks.values()
        for secret in hook.secrets.values()
    }
    storage.vault.sweep(known, _ORPHAN_AGE)


def _quickstart_client(storage: Storage) -> Credentials:
    """Make a client with every scope, in place of the one of the last quick start."""
    for client in storage.hooks.table.clients.values():
        if client.name == QUICKSTART_CLIENT and not client.revoked:
            revoke_client(storage.ledger, client.id, cli_meta("replaced by a new quick start"))
    return create_client(
        storage.ledger,
        name=QUICKSTART_CLIENT,
        scopes=list(SCOPES),
        meta=cli_meta("quick start"),
        new_id=new_id,
        new_secret=secrets.token_urlsafe,
    )


def _announce(
    settings: Settings, credentials: Credentials | None, started: Started, port: int
) -> None:
    address = settings.public_url.rstrip("/") or f"http://{settings.host}:{port}"
    started(address, credentials)


class _Server(uvicorn.Server):
    """Says when it listens, and on which port."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self._listening = listening
        self.failure: Stalled | None = None
        """Why it never listened."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT, and stay alive to close what is open.

        The library raises the signal again once it has stopped serving, which would end the process
        before the journal is written and the workers have ended.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        try:
            await super().startup(sockets)  # type: ignore[arg-type]
        except SystemExit:  # it has logged the reason; the rest is still to be closed in order
            self.failure = Stalled(
                f"The server cannot listen on {self.config.host}:{self.config.port}; "
                "another program may have the port: choose one with --port."
            )
            self.should_exit = True
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            await anyio.to_thread.run_sync(self._listening, port)
