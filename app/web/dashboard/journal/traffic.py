"""Figures of the last hour, from the counts that the journal keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.application.journal_views import Stats, StatsQuery
from app.application.ports import Journal
from app.domain.errors import Rejected
from app.web.protocol.services import WebServices

BARS = 60
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What happened in the window."""

    invocations: int = 0
    failed: int = 0
    """Errors of hooks and failures of the platform."""
    per_minute: float = 0.0
    p50: float | None = None
    p95: float | None = None
    """Milliseconds; None if nothing ran."""
    bars: tuple[int, ...] = (0,) * BARS
    """Invocations in each minute, oldest first."""

    @property
    def failing(self) -> float | None:
        """Share of the invocations that failed; None if there were none."""
        return self.failed / self.invocations if self.invocations else None


@dataclass(frozen=True, slots=True)
class Recent:
    """The last hour, in all and by trigger."""

    since: datetime
    total: Traffic | None
    """None if there is too much to add up at once."""
    by_trigger: Mapping[str, Traffic]


async def recent_traffic(services: WebServices) -> Recent:
    """Return the figures of the last hour, by trigger."""
    since, until = _last_hour(services.clock())

    def ask() -> Recent:
        overall = _stats(services.journal, StatsQuery(since, until))
        if overall is None:
            triggers = services.hooks.table.triggers.keys()
        else:
            triggers = dict.fromkeys(group.trigger for group in overall.groups).keys()
        asked = {
            trigger: _stats(services.journal, StatsQuery(since, until, trigger=trigger))
            for trigger in triggers
        }
        found = {trigger: traffic_of(stats) for trigger, stats in asked.items() if stats}
        return Recent(since, traffic_of(overall) if overall else None, found)

    return await services.read(ask)


async def traffic_of_hook(services: WebServices, hook_id: str) -> tuple[Traffic, datetime]:
    """Return the figures of a hook's last hour, and when that began."""
    since, until = _last_hour(services.clock())
    stats = await services.read(
        lambda: _stats(services.journal, StatsQuery(since, until, hook=hook_id))
    )
    return (traffic_of(stats) if stats else Traffic()), since


def traffic_of(stats: Stats) -> Traffic:
    """Say the statistics of an hour as figures and bars."""
    tally = stats.overall
    bars = [0] * BARS
    for point in stats.series:
        place = int((point.at - stats.since) / _MINUTE)
        bars[min(max(place, 0), BARS - 1)] += point.tally.runs
    minutes = max((stats.until - stats.since) / _MINUTE, 1.0)
    return Traffic(
        invocations=tally.runs,
        failed=round(tally.error_rate * tally.runs),
        per_minute=tally.runs / minutes,
        p50=tally.total.p50,
        p95=tally.total.p95,
        bars=tuple(bars),
    )


def _last_hour(now: datetime) -> tuple[datetime, datetime]:
    """Return the sixty minutes that end with this one."""
    return now.replace(second=0, microsecond=0) - (BARS - 1) * _MINUTE, now


def _stats(journal: Journal, query: StatsQuery) -> Stats | None:
    """Return None for more than the journal adds up at once: thousands of hooks a minute."""
    try:
        return journal.stats(query)
    except Rejected:
        return None
