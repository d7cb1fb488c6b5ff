"""Everything an endpoint needs, started and ended together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from importlib.metadata import version

from prometheus_client import CollectorRegistry

from app.application.callers.answer_once import AnswerOnce
from app.application.history.hook_versions import versions_of
from app.application.invoking.invoke import Invoker
from app.application.invoking.run_draft import DraftRunner
from app.application.managing.hook_writer import HookWriter
from app.bootstrap.ambient import new_id, utc_now
from app.bootstrap.background import Running, in_background
from app.bootstrap.engine import Engine, open_engine
from app.bootstrap.forges import webhook_desk
from app.bootstrap.metrics import EgressCollector, StateCollector, expose
from app.bootstrap.readiness import readiness
from app.bootstrap.sources import SourceCollector
from app.bootstrap.storage import Storage
from app.bootstrap.stores import Stores, open_stores
from app.bootstrap.tokens import token_desk, token_issuer, trusted_issuers
from app.vault.issuers import TrustedIssuers
from app.web.protocol.rate_limits import Rate, RateLimits, limits_of
from app.web.protocol.services import WebServices
from config.settings import Settings


@contextlib.asynccontextmanager
async def open_services(storage: Storage) -> AsyncIterator[WebServices]:
    """Start everything an endpoint needs; on exit deliveries are finished and workers ended."""
    registry = CollectorRegistry()
    with open_stores(storage, registry) as stores:
        observed = stores.observed
        registry.register(StateCollector(storage, stores.queue, observed.journal))
        async with open_engine(storage, observed.recorder.log, vault=observed.vault) as engine:
            registry.register(EgressCollector(engine.runner.egress))
            registry.register(SourceCollector(engine.sources))
            invoker = _invoker(storage, stores, engine)
            trusted = trusted_issuers(storage.settings)
            async with in_background(storage, stores, engine, invoker, trusted) as running:
                yield _services(storage, stores, engine, invoker, trusted, registry, running)


def _invoker(storage: Storage, stores: Stores, engine: Engine) -> Invoker:
    return Invoker(
        hooks=storage.hooks,
        runner=engine.runner,
        packages=engine.packages,
        vault=stores.observed.vault,
        journal=stores.observed.recorder,
        queue=stores.queue,
        clock=utc_now,
        new_id=new_id,
    )


def _services(
    storage: Storage,
    stores: Stores,
    engine: Engine,
    invoker: Invoker,
    trusted: TrustedIssuers,
    registry: CollectorRegistry,
    running: Running,
) -> WebServices:
    settings, sources, observed = storage.settings, engine.sources, stores.observed
    return WebServices(
        invoker=invoker,
        drafts=DraftRunner(
            hooks=storage.hooks,
            runner=engine.runner,
            packages=engine.packages,
            vault=observed.vault,
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
        once=AnswerOnce(stores.answers),
        audit=storage.audit,
        past=storage.past,
        prover=stores.prover,
        verifications=stores.verifications,
        journal=observed.journal,
        live=observed.live,
        access=observed.journal,
        tokens=token_issuer(settings, stores.signing, storage.hooks, invoker),
        desk=token_desk(settings, stores.signing, trusted),
        limits=_rate_limits(settings),
        sync=sources,
        committers={each.id: each.committer for each in sources.all if each.committer},
        readiness=partial(readiness, engine, stores.prover, running),
        metrics=partial(expose, registry),
        version=version("hookledger"),
        hook_versions=partial(versions_of, storage.ledger),
        sign_in=stores.sign_in,
        address=settings.address,
        clock=utc_now,
        recipient=lambda: engine.age.recipient,
        webhooks=webhook_desk(
            settings,
            {each.id: each.settings.branch for each in sources.all},
            lambda source: sources.one(source).watcher.hint(),
        ),
    )


def _rate_limits(settings: Settings) -> RateLimits:
    rates = settings.rate_limits.model_dump()
    return limits_of(
        {name: None if rate == "unlimited" else Rate(**rate) for name, rate in rates.items()}
    )
