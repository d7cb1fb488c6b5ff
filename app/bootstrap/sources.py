"""All followed sources, side by side: opened together, found by name, told of together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.application.syncing.results import SourceSettings
from app.application.syncing.source_status import source_status, unmanaged_status
from app.application.syncing.status import Health, SourceStatus, SyncState, Watch, Work
from app.bootstrap.ambient import utc_now
from app.bootstrap.followed import FollowedSource, Surroundings, open_followed
from app.bootstrap.packages import ignore_progress, package_cache
from app.bootstrap.repositories import open_repository, source_settings
from app.bootstrap.storage import Storage
from app.domain.errors import NotFound, Problem, Rejected, Stalled, Transient
from app.gitops.remote import RemoteRepository
from config.settings import Settings


@dataclass(frozen=True, slots=True)
class Sources:
    """Implements ``app.web.protocol.services.SyncDesk``."""

    storage: Storage
    all: Sequence[FollowedSource]

    def one(self, source: str | None) -> FollowedSource:
        """Return the source of that id, or the only one; raises as ``chosen`` does."""
        wanted = chosen([each.id for each in self.all], source)
        return next(each for each in self.all if each.id == wanted)

    def statuses(self) -> Sequence[SourceStatus]:
        """Say where each stands, those that are no longer configured last; from memory."""
        configured = [each.status() for each in self.all]
        return (*configured, *_unmanaged(self.storage, {each.id for each in self.all}))

    def is_any_in_force(self) -> bool:
        """Tell whether something was applied, now or before a restart."""
        rows = self.storage.hooks.table.sources
        return any(each.id in rows and rows[each.id].applied for each in self.all)

    def label(self, of: str, source: FollowedSource) -> str:
        """Name something of a source; where there is only one, everybody knows which."""
        return of if len(self.all) == 1 else f"{of}:{source.id}"

    async def follow(self) -> None:
        """Follow all until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for each in self.all:
                tasks.create_task(each.follow())


@contextlib.contextmanager
def open_sources(common: Surroundings) -> Iterator[Sources]:
    """Open every repository; raise ``Stalled`` or ``Rejected`` if one never can be followed."""
    settings = common.storage.settings
    alone = len(settings.followed) == 1
    followed = [source_settings(*each, may_be_away=not alone) for each in settings.followed.items()]
    with contextlib.ExitStack() as opened:
        sources = [opened.enter_context(open_followed(each, common)) for each in followed]
        opened.callback(_interrupt, sources)
        yield Sources(common.storage, sources)


def chosen(known: Sequence[str], source: str | None) -> str:
    """Return the id that is meant.

    Raises ``Rejected`` when one of several must be named, ``NotFound`` when it is not configured.
    """
    listed = ", ".join(known)
    if source is None:
        if len(known) == 1:
            return known[0]
        problem = Problem(f"is missing; name one of: {listed}", key="source")
        raise Rejected("There are several sources; say which one.", problems=[problem])
    if source not in known:
        raise NotFound(f"No source `{source}` is followed; those that are: {listed}.")
    return source


def chosen_source(settings: Settings, source: str | None) -> SourceSettings:
    """Return what is configured of the source that is meant; raises as ``chosen`` does."""
    wanted = chosen(list(settings.followed), source)
    return source_settings(wanted, settings.followed[wanted])


def stored_statuses(storage: Storage) -> Sequence[SourceStatus]:
    """Say where sources stand by what is stored and in repositories, without a server."""
    configured = storage.settings.followed
    sources = [source_settings(*each) for each in configured.items()]
    return (
        *(_stored_status(storage, each) for each in sources),
        *_unmanaged(storage, configured.keys()),
    )


def _stored_status(storage: Storage, source: SourceSettings) -> SourceStatus:
    tip, error = None, None
    try:
        with contextlib.closing(open_repository(storage.settings, source)) as repository:
            tip = repository.tip()
    except (Stalled, Transient) as failure:
        error = str(failure)
    packages = package_cache(storage.settings, ignore_progress)
    watch = Watch(tip, None, error)
    return source_status(source, storage.hooks.table, watch, Work(), packages, utc_now())


def _unmanaged(storage: Storage, configured: Collection[str]) -> Iterator[SourceStatus]:
    table = storage.hooks.table
    for source, row in table.sources.items():
        if source not in configured:
            yield unmanaged_status(row, table)


def _interrupt(sources: Sequence[FollowedSource]) -> None:
    """End all fetches at once, before each is waited for."""
    for source in sources:
        if isinstance(source.repository, RemoteRepository):
            source.repository.interrupt()


class SourceCollector(Collector):
    """Figures of where each source stands, for Prometheus."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[GaugeMetricFamily]:
        statuses = self._sources.statuses()
        state = GaugeMetricFamily(
            "hookledger_sync_state", "1 for the state it is in.", labels=["source", "state"]
        )
        health = GaugeMetricFamily(
            "hookledger_sync_health", "1 for the health it has.", labels=["source", "health"]
        )
        drift = GaugeMetricFamily(
            "hookledger_sync_drift", "Changes that would undo drift.", labels=["source"]
        )
        overrides = GaugeMetricFamily(
            "hookledger_sync_overrides", "Hooks disabled against git.", labels=["source"]
        )
        for status in statuses:
            for known in SyncState:
                state.add_metric([status.id, known], float(known is status.state))
            for seen in Health:
                health.add_metric([status.id, seen], float(seen is status.health))
            differing = status.drift.changes if status.drift and status.drift.is_there else ()
            drift.add_metric([status.id], len(differing))
            overrides.add_metric([status.id], len(status.overrides))
        yield from (state, health, drift, overrides)
