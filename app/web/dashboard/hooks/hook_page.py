"""One hook: what runs, since when and by whom, how it fares, what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from starlette.responses import Response

from app.application.invoking.contracts import contract_in
from app.application.journal_views import ExecutionQuery, ExecutionRecord
from app.application.views import AuditQuery, HookRow
from app.domain.errors import NotFound
from app.domain.outcomes import OutcomeKind
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.frame.wording import Told, told
from app.web.dashboard.hooks.hook_lookup import hook_of, is_ours, lacking
from app.web.dashboard.journal.traffic import Traffic, traffic_of_hook

_RECORDS = 300
_DAY = timedelta(days=1)
_LISTED = 8
_VERSIONS = 10

WIDTH, HEIGHT = 800, 160
"""Of the chart, in its own units."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One invocation on the chart."""

    x: float
    y: float
    record: ExecutionRecord
    failed: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """The newest invocations of the last day, by time and duration."""

    dots: Sequence[Dot]
    since: datetime
    until: datetime
    slowest: float
    failed: int
    hour: Traffic
    """Figures of the last hour, of all invocations."""
    hour_since: datetime


async def show(visit: Visit) -> Response:
    """Show the hook."""
    hook = hook_of(visit)
    versions = await visit.services.read(partial(visit.services.hook_versions, hook.id))
    chart = await _chart(visit, hook) if visit.may("read:invocations") else None
    return visit.render(
        "hook.html",
        hook=hook,
        contract=contract_in(visit.table, hook.trigger),
        ours=is_ours(hook),
        lacking=lacking(hook),
        switched=await _switched(visit, hook) if visit.may("read:audit") else None,
        chart=chart,
        listed=[dot.record for dot in chart.dots[:_LISTED]] if chart is not None else [],
        versions=versions[:_VERSIONS],
        older=max(0, len(versions) - _VERSIONS),
    )


async def show_version(visit: Visit) -> Response:
    """Show what one version changed, beside the one before."""
    hook = hook_of(visit)
    versions = await visit.services.read(partial(visit.services.hook_versions, hook.id))
    by_number = {str(version.number): version for version in versions}
    after = by_number.get(visit.path["number"])
    if after is None:
        raise NotFound(f"Hook `{hook.name}` has no version {visit.path['number']}.")
    return visit.render(
        "hook_version.html",
        hook=hook,
        after=after,
        before=by_number.get(str(after.number - 1)),
        newest=versions[0].number,
    )


async def list_versions(visit: Visit) -> Response:
    """Show every version."""
    hook = hook_of(visit)
    versions = await visit.services.read(partial(visit.services.hook_versions, hook.id))
    return visit.render("hook_versions.html", hook=hook, versions=versions, older=0)


async def _switched(visit: Visit, hook: HookRow) -> Told | None:
    """Return the event that enabled or disabled the hook last."""
    kind = "trigger.hook_enabled" if hook.enabled else "trigger.hook_disabled"
    query = AuditQuery(hook=hook.id, type=kind)
    page = await visit.services.read(
        partial(visit.services.audit.query, query, cursor=None, limit=1)
    )
    return told(page.items[0]) if page.items else None


async def _chart(visit: Visit, hook: HookRow) -> Chart:
    until = visit.services.clock()
    query = ExecutionQuery(hook=hook.id, since=until - _DAY)
    page = await visit.services.read(
        partial(visit.services.journal.executions, query, cursor=None, limit=_RECORDS)
    )
    hour, hour_since = await traffic_of_hook(visit.services, hook.id)
    return chart_of(page.items, until, hour, hour_since)


def chart_of(
    records: Sequence[ExecutionRecord], until: datetime, hour: Traffic, hour_since: datetime
) -> Chart:
    """Place records, newest first, on the chart."""
    since = records[-1].at if records else until - _DAY
    seconds = max((until - since).total_seconds(), 1.0)
    slowest = max((record.total_ms for record in records), default=0.0)
    dots = [
        Dot(
            x=round((record.at - since).total_seconds() / seconds * (WIDTH - 12) + 6, 1),
            y=round(HEIGHT - 8 - record.total_ms / (slowest or 1) * (HEIGHT - 16), 1),
            record=record,
            failed=record.kind is not OutcomeKind.SUCCEEDED,
        )
        for record in records
    ]
    return Chart(
        dots=dots,
        since=since,
        until=until,
        slowest=slowest,
        failed=sum(dot.failed for dot in dots),
        hour=hour,
        hour_since=hour_since,
    )


_HERE = "/hooks/{hook}"

PAGES = (
    Page(path=_HERE, handle=show, scope="read:hooks", section="/hooks"),
    Page(path=f"{_HERE}/versions", handle=list_versions, scope="read:hooks", section="/hooks"),
    Page(
        path=f"{_HERE}/versions/{{number}}",
        handle=show_version,
        scope="read:hooks",
        section="/hooks",
    ),
)
