"""The whole server: engine, queue, journal and HTTP, from start to a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import timedelta
from functools import partial
from importlib.metadata import version

import uvicorn
from prometheus_client import CollectorRegistry

from app.application.hook_versions import versions_of
from app.application.hook_writer import HookWriter
from app.application.invoke import Invoker
from app.application.manage_clients import Credentials, create_client, revoke_client
from app.application.run_draft import DraftRunner
from app.application.status import SourceStatus, Watch, source_status
from app.application.views import ActiveTable
from app.bootstrap.ambient import cli_meta, new_id, utc_now
from app.bootstrap.backup import serving
from app.bootstrap.engine import Engine, open_engine
from app.bootstrap.forges import open_status_reporters, webhook_desk
from app.bootstrap.listening import Server, bound_socket
from app.bootstrap.metrics import CountingJournal, EgressCollector, StateCollector, expose
from app.bootstrap.packages import keep_installed
from app.bootstrap.people import login_link, open_sign_in
from app.bootstrap.readiness import readiness
from app.bootstrap.storage import (
    Storage,
    open_journal,
    open_queue,
    open_signing_keys,
    open_storage,
)
from app.bootstrap.tls import ServedCertificate, served_certificate
from app.bootstrap.tokens import token_desk, token_issuer, trusted_issuers
from app.domain.clients import SCOPES
from app.domain.errors import HookledgerError
from app.queue.consumer import Consumer
from app.queue.schedules import exponential
from app.telemetry import set_up_logging
from app.web.lane import lane_protocol
from app.web.rate_limits import Rate, RateLimits, limits_of
from app.web.routes import build_app
from app.web.services import WebServices
from config.settings import Settings

_log = logging.getLogger("hookledger.server")

QUICKSTART_CLIENT = "quickstart"
_ORPHAN_AGE = timedelta(hours=1)
_STOP_SECONDS = 10
_START_SECONDS = 30.0
"""How long the port stays closed for the first sync; a slow registry must not keep it closed."""
_SWITCH_SECONDS = 0.0005
"""How long a background thread (journal, projections) may hold up the event loop; Python's 5 ms
would be the slowest answers."""

Started = Callable[[str, Credentials | None, str | None], None]
"""Told the server's address, and the credentials and the login link that ``--quickstart`` made."""


async def serve_until_stopped(settings: Settings, *, quickstart: bool, started: Started) -> None:
    """Serve until SIGTERM or SIGINT; raise ``Stalled`` if something needed cannot be had.

    The first sync has been tried before the port opens, so that a server that answers has hooks;
    unless it takes long, since installing packages may.
    """
    set_up_logging(settings.log_level, settings.log_format)
    sys.setswitchinterval(_SWITCH_SECONDS)
    certificate = served_certificate(settings)
    with bound_socket(settings) as listening:
        # Tokens name the port, so it must be known before anything is made that judges them.
        settings = settings.model_copy(update={"port": listening.getsockname()[1]})
        await _serve(settings, listening, certificate, quickstart=quickstart, started=started)


async def _serve(
    settings: Settings,
    listening: socket.socket,
    certificate: ServedCertificate | None,
    *,
    quickstart: bool,
    started: Started,
) -> None:
    with open_storage(settings) as storage, serving(settings):
        _sweep(storage)
        credentials = _quickstart_client(storage) if quickstart else None
        async with open_services(storage) as services:
            server = Server(
                uvicorn.Config(
                    build_app(services),
                    loop="uvloop",
                    http=lane_protocol(
                        header_seconds=settings.header_seconds,
                        request_seconds=settings.request_seconds,
                    ),
                    limit_concurrency=settings.max_connections,
                    lifespan="off",
                    access_log=False,
                    log_config=None,
                    server_header=False,
                    proxy_headers=False,
                    date_header=True,
                    timeout_keep_alive=30,
                    timeout_graceful_shutdown=_STOP_SECONDS,
                ),
                certificate,
                partial(
                    started,
                    settings.address,
                    credentials,
                    login_link(services.sign_in, settings.address) if quickstart else None,
                ),
            )
            gc.collect()
            gc.freeze()  # what lives as long as the server need not be looked at again and again
            await server.serve([listening])


@contextlib.asynccontextmanager
async def open_services(storage: Storage) -> AsyncIterator[WebServices]:
    """Start everything an endpoint needs; on exit deliveries are finished and workers ended."""
    settings = storage.settings
    registry = CollectorRegistry()
    with (
        open_journal(settings) as stored,
        open_queue(settings, storage.vault) as queue,
        open_signing_keys(settings, storage.vault) as signing,
        open_sign_in(settings) as sign_in,
        contextlib.ExitStack() as opened,
    ):
        journal = CountingJournal(stored, registry)
        registry.register(StateCollector(storage, queue, stored))
        async with open_engine(storage, journal.log) as engine, asyncio.TaskGroup() as tasks:
            reporters = opened.enter_context(
                open_status_reporters(
                    settings, storage, {engine.source.id: lambda: engine.watcher.status}
                )
            )
            registry.register(EgressCollector(engine.runner.egress))
            invoker = Invoker(
                hooks=storage.hooks,
                runner=engine.runner,
                packages=engine.packages,
                vault=storage.vault,
                journal=journal,
                queue=queue,
                clock=utc_now,
                new_id=new_id,
            )
            looked = asyncio.Event()
            keeping = tasks.create_task(_keep_installed(engine, invoker, looked), name="packages")
            starting = tasks.create_task(_first_sync(engine, looked), name="first-sync")
            await asyncio.wait({starting}, timeout=_START_SECONDS)
            consumer = Consumer(
                queue,
                invoker.deliver,
                utc_now,
                concurrency=settings.queue_concurrency,
                schedule=exponential(attempts=settings.queue_attempts),
            )
            trusted = trusted_issuers(settings)
            running = [
                keeping,
                tasks.create_task(trusted.run(), name="issuer-keys"),
                tasks.create_task(_keep_warm(storage, invoker), name="keep-warm"),
                tasks.create_task(engine.watcher.run(), name="watch"),
                tasks.create_task(consumer.run(), name="deliver"),
                *(tasks.create_task(each.run(), name="statuses") for each in reporters),
            ]
            yield WebServices(
                invoker=invoker,
                drafts=DraftRunner(
                    hooks=storage.hooks,
                    runner=engine.runner,
                    packages=engine.packages,
                    vault=storage.vault,
                    new_id=new_id,
                ),
                hooks=storage.hooks,
                writer=HookWriter(
                    ledger=storage.ledger,
                    hooks=storage.hooks,
                    packages=engine.packages,
                    vault=storage.vault,
                    new_id=new_id,
                ),
                audit=storage.audit,
                journal=journal,
                tokens=token_issuer(settings, signing, storage.hooks, invoker),
                desk=token_desk(settings, signing, trusted),
                limits=_rate_limits(settings),
                sources=partial(_sources, engine),
                sync_now=engine.reconciler.sync,
                plan=engine.reconciler.plan,
                committers={engine.source.id: engine.committer},
                readiness=partial(readiness, engine, running),
                metrics=partial(expose, registry),
                version=version("hookledger"),
                hook_versions=partial(versions_of, storage.ledger),
                sign_in=sign_in,
                address=settings.address,
                clock=utc_now,
                recipient=lambda: engine.age.recipient,
                webhooks=webhook_desk(
                    settings,
                    {engine.source.id: engine.source.branch},
                    lambda _: engine.watcher.hint(),
                ),
            )
            for task in (*running, starting):
                task.cancel()


async def _first_sync(engine: Engine, looked: asyncio.Event) -> None:
    """Bring the ledger to the branch's tip; what fails is in ``/v1/sync`` and tried again.

    What is in force comes first: if the cache of packages was deleted, it is filled again.
    """
    await looked.wait()
    try:
        await engine.reconciler.sync()
    except HookledgerError as error:
        _log.warning("first_sync_failed", extra={"reason": str(error)})


def _keep_installed(
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


def _rate_limits(settings: Settings) -> RateLimits:
    rates = settings.rate_limits.model_dump()
    return limits_of(
        {name: None if rate == "unlimited" else Rate(**rate) for name, rate in rates.items()}
    )


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
