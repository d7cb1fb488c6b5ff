"""The sources of an engine as the endpoints need them: one place that finds the reconciler."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime

import anyio.to_thread
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.application.approve_plan import approve_plan
from app.application.preview_plan import Preview
from app.application.reconcile import Reconciler
from app.application.source_status import source_status
from app.application.status import Health, SourceStatus, SyncState, Watch, Work
from app.application.suspend_source import resume_source, suspend_source
from app.application.sync_results import SourceSettings, SyncResult
from app.bootstrap.ambient import utc_now
from app.bootstrap.engine import Engine
from app.bootstrap.packages import ignore_progress, package_cache
from app.bootstrap.repositories import open_repository, source_settings
from app.bootstrap.storage import Storage
from app.domain.aggregates import Meta
from app.domain.errors import Stalled, Transient
from app.domain.revisions import Position


class Sources:
    """Implements ``app.web.services.SyncDesk``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def statuses(self) -> Sequence[SourceStatus]:
        """Say where each source stands; from memory."""
        engine = self._engine
        seen = engine.watcher.status
        return (
            source_status(
                engine.source,
                engine.storage.hooks.table,
                Watch(seen.tried, seen.last_success, seen.last_error),
                Work(engine.reconciler.operation, engine.reconciler.drift),
                engine.packages,
                utc_now(),
            ),
        )

    async def sync(self) -> SyncResult:
        """Apply the branch's tip now; a remote one is fetched first."""
        await self._engine.refresh()
        return await self._reconciler().sync()

    async def preview(self, ref: str | None) -> Preview:
        """Say what applying ``ref`` would do."""
        if ref is None:
            await self._engine.refresh()
        return await self._reconciler().preview(ref)

    async def suspend(self, until: datetime | None, meta: Meta) -> Position:
        """Apply nothing until then."""

        def suspend() -> Position:
            ledger = self._engine.storage.ledger
            return suspend_source(ledger, self._settings(), meta, until=until, now=utc_now())

        return await anyio.to_thread.run_sync(suspend)

    async def resume(self, meta: Meta) -> Position:
        """Follow the branch again; the keeper of the source has its tip applied."""
        ledger = self._engine.storage.ledger
        return await anyio.to_thread.run_sync(resume_source, ledger, self._settings(), meta)

    async def approve(self, digest: str, meta: Meta) -> SyncResult:
        """Approve the held plan, and apply it."""
        ledger = self._engine.storage.ledger
        await anyio.to_thread.run_sync(approve_plan, ledger, self._settings(), digest, meta)
        return await self._reconciler().sync()

    async def roll_back(self, commit: str, meta: Meta) -> SyncResult:
        """Put a formerly applied commit in force again."""
        return await self._reconciler().roll_back(commit, meta)

    def _reconciler(self) -> Reconciler:
        return self._engine.reconciler

    def _settings(self) -> SourceSettings:
        return self._engine.source


def stored_status(storage: Storage) -> SourceStatus:
    """Say where the source stands by what is stored and in the repository, without a server."""
    settings = storage.settings
    source = source_settings(settings)
    tip, error = None, None
    try:
        with contextlib.closing(open_repository(settings, source)) as repository:
            tip = repository.tip()
    except (Stalled, Transient) as failure:
        error = str(failure)
    packages = package_cache(settings, ignore_progress)
    watch = Watch(tip, None, error)
    return source_status(source, storage.hooks.table, watch, Work(), packages, utc_now())


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
