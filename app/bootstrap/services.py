"""Everything an endpoint needs, started and ended together."""

from __future__ import annotations

import asyncio
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
from app.bootstrap.engine import open_engine
from app.bootstrap.forges import open_status_reporters, webhook_desk
from app.bootstrap.metrics import EgressCollector, StateCollector, expose
from app.bootstrap.observation import open_observation
from app.bootstrap.people import open_sign_in
from app.bootstrap.readiness import readiness
from app.bootstrap.sources import SourceCollector
from app.bootstrap.storage import (
    Storage,
    open_answers,
    open_queue,
    open_signing_keys,
)
from app.bootstrap.tokens import token_desk, token_issuer, trusted_issuers
from app.bootstrap.transparency import keep_signing, open_prover, open_verifications
from app.bootstrap.upkeep import (
    first_sync,
    keep_packages,
    keep_warm,
    remove_leftovers,
    wait_to_serve,
)
from app.queue.consumer import Consumer
from app.queue.schedules import exponential
from app.web.protocol.rate_limits import Rate, RateLimits, limits_of
from app.web.protocol.services import WebServices
from config.settings import Settings


@contextlib.asynccontextmanager
async def open_services(storage: Storage) -> AsyncIterator[WebServices]:
    """Start everything an endpoint needs; on exit deliveries are finished and workers ended."""
    settings = storage.settings
    registry = CollectorRegistry()
    with (
        open_observation(storage, registry) as observed,
        open_queue(settings, storage.vault) as queue,
        open_signing_keys(settings, storage.vault) as signing,
        open_sign_in(settings) as sign_in,
        open_answers(settings, storage.vault) as answers,
        open_prover(storage) as prover,
        open_verifications(settings) as verifications,
        contextlib.ExitStack() as opened,
    ):
        journal, vault = observed.recorder, observed.vault
        registry.register(StateCollector(storage, queue, observed.journal))
        opening = open_engine(storage, journal.log, vault=vault)
        async with opening as engine, asyncio.TaskGroup() as tasks:
            sources = engine.sources
            reporters = opened.enter_context(
                open_status_reporters(
                    settings, storage, {each.id: each.watcher for each in sources.all}
                )
            )
            registry.register(EgressCollector(engine.runner.egress))
            registry.register(SourceCollector(sources))
            invoker = Invoker(
                hooks=storage.hooks,
                runner=engine.runner,
                packages=engine.packages,
                vault=vault,
                journal=journal,
                queue=queue,
                clock=utc_now,
                new_id=new_id,
            )
            looked = asyncio.Event()
            keeping = tasks.create_task(keep_packages(engine, invoker, looked), name="packages")
            starting = [
                tasks.create_task(first_sync(each, looked), name=sources.label("first-sync", each))
                for each in sources.all
            ]
            await wait_to_serve(sources, starting)
            consumer = Consumer(
                queue,
                invoker.deliver,
                utc_now,
                concurrency=settings.queue_concurrency,
                schedule=exponential(attempts=settings.queue_attempts),
            )
            trusted = trusted_issuers(settings)
            leftovers = tasks.create_task(remove_leftovers(storage), name="old-tables")
            running = [
                keeping,
                tasks.create_task(trusted.run(), name="issuer-keys"),
                tasks.create_task(keep_warm(storage, invoker), name="keep-warm"),
                *(
                    tasks.create_task(work.run(), name=sources.label(name, each))
                    for each in sources.all
                    for name, work in (("watch", each.watcher), ("keep-in-step", each.keeper))
                ),
                tasks.create_task(consumer.run(), name="deliver"),
                tasks.create_task(
                    keep_signing(prover, settings.checkpoint_interval), name="checkpoints"
                ),
                *(tasks.create_task(each.run(), name="statuses") for each in reporters),
            ]
            yield WebServices(
                invoker=invoker,
                drafts=DraftRunner(
                    hooks=storage.hooks,
                    runner=engine.runner,
                    packages=engine.packages,
                    vault=vault,
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
                once=AnswerOnce(answers),
                audit=storage.audit,
                past=storage.past,
                prover=prover,
                verifications=verifications,
                journal=observed.journal,
                live=observed.live,
                access=observed.journal,
                tokens=token_issuer(settings, signing, storage.hooks, invoker),
                desk=token_desk(settings, signing, trusted),
                limits=_rate_limits(settings),
                sync=sources,
                committers={each.id: each.committer for each in sources.all if each.committer},
                readiness=partial(readiness, engine, prover, running),
                metrics=partial(expose, registry),
                version=version("hookledger"),
                hook_versions=partial(versions_of, storage.ledger),
                sign_in=sign_in,
                address=settings.address,
                clock=utc_now,
                recipient=lambda: engine.age.recipient,
                webhooks=webhook_desk(
                    settings,
                    {each.id: each.settings.branch for each in sources.all},
                    lambda source: sources.one(source).watcher.hint(),
                ),
            )
            for task in (*running, *starting, leftovers):
                task.cancel()


def _rate_limits(settings: Settings) -> RateLimits:
    rates = settings.rate_limits.model_dump()
    return limits_of(
        {name: None if rate == "unlimited" else Rate(**rate) for name, rate in rates.items()}
    )
