"""Figures of the last hour, made of the newest execution records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from app.application.journal_views import ExecutionQuery, ExecutionRecord
from app.domain.outcomes import OutcomeKind
from app.web.services import WebServices

WINDOW = timedelta(hours=1)
MOST_RECORDS = 5_000
"""Beyond it the window is shorter: the figures are then those of the newest records."""

BARS = 30


@dataclass(frozen=True, slots=True)
class Traffic:
    """What happened in a window."""

    invocations: int = 0
    failed: int = 0
    """Errors of hooks and failures of the platform."""
    per_minute: float = 0.0
    p95: float | None = None
    """Milliseconds; None if nothing ran."""
    bars: tuple[int, ...] = (0,) * BARS
    """Invocations in each part of the window, oldest first."""

    @property
    def failing(self) -> float | None:
        """Share of the invocations that failed; None if there were none."""
        return self.failed / self.invocations if self.invocations else None


@dataclass(frozen=True, slots=True)
class Recent:
    """The last hour, or as much of it as was looked at."""

    total: Traffic
    by_trigger: Mapping[str, Traffic]
    since: datetime
    whole: bool
    """Whether it is the whole hour."""


async def recent_traffic(services: WebServices) -> Recent:
    """Return the figures of the last hour."""
    now = services.clock()
    query = ExecutionQuery(since=now - WINDOW)
    page = await services.read(
        partial(services.journal.executions, query, cursor=None, limit=MOST_RECORDS)
    )
    since = now - WINDOW if page.next is None else page.items[-1].at
    by_trigger: dict[str, list[ExecutionRecord]] = {}
    for record in page.items:
        by_trigger.setdefault(record.trigger, []).append(record)
    return Recent(
        total=traffic(page.items, since, now),
        by_trigger={key: traffic(found, since, now) for key, found in by_trigger.items()},
        since=since,
        whole=page.next is None,
    )


def traffic(records: Sequence[ExecutionRecord], since: datetime, until: datetime) -> Traffic:
    """Sum records up."""
    if not records:
        return Traffic()
    seconds = max((until - since).total_seconds(), 1.0)
    return Traffic(
        invocations=len(records),
        failed=sum(record.kind is not OutcomeKind.SUCCEEDED for record in records),
        per_minute=len(records) * 60 / seconds,
        p95=percentile([record.total_ms for record in records], 0.95),
        bars=_bars((record.at for record in records), since, seconds),
    )


def percentile(values: Iterable[float], part: float) -> float | None:
    """Return the nearest-rank percentile; None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else None


def _bars(times: Iterable[datetime], since: datetime, seconds: float) -> tuple[int, ...]:
    bars = [0] * BARS
    for at in times:
        place = int((at - since).total_seconds() / seconds * BARS)
        bars[min(max(place, 0), BARS - 1)] += 1
    return tuple(bars)
