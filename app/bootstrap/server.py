"""The whole server: engine, queue, journal and HTTP, from start to a clean stop."""

from __future__ import annotations

import gc
import secrets
import socket
import sys
from collections.abc import Callable
from functools import partial

import uvicorn

from app.application.callers.manage_clients import Credentials, create_client, revoke_client
from app.bootstrap.ambient import cli_meta, new_id
from app.bootstrap.descriptors import raise_limit
from app.bootstrap.listening import Server, bound_socket
from app.bootstrap.orphans import sweep_orphans
from app.bootstrap.people import login_link
from app.bootstrap.presence import serving
from app.bootstrap.services import open_services
from app.bootstrap.storage import (
    Storage,
    open_storage,
)
from app.bootstrap.tls import ServedCertificate, served_certificate
from app.domain.callers.client import SCOPES
from app.telemetry import set_up_logging
from app.web.lane import lane_protocol
from app.web.routes import build_app
from config.settings import Settings

QUICKSTART_CLIENT = "quickstart"
_STOP_SECONDS = 10
_SWITCH_SECONDS = 0.0005
"""How long a background thread (journal, projections) may hold up the event loop; Python's 5 ms
would be the slowest answers."""
_GARBAGE_THRESHOLDS = 10_000, 20, 20
"""Cycles are rare here (records that wait for the journal are none, yet are counted), and Python's
700 has the collector look for some several times between two batches of the journal."""

Started = Callable[[str, Credentials | None, str | None], None]
"""Told the server's address, and the credentials and the login link that ``--quickstart`` made."""


async def serve_until_stopped(settings: Settings, *, quickstart: bool, started: Started) -> None:
    """Serve until SIGTERM or SIGINT; raise ``Stalled`` if something needed cannot be had.

    The first sync has been tried before the port opens, so that a server that answers has hooks;
    unless it takes long, since installing packages may.
    """
    set_up_logging(settings.log_level, settings.log_format)
    raise_limit()
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
        sweep_orphans(storage)
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
                services.live.end,
            )
            gc.collect()
            gc.freeze()  # what lives as long as the server need not be looked at again and again
            gc.set_threshold(*_GARBAGE_THRESHOLDS)
            await server.serve([listening])


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
