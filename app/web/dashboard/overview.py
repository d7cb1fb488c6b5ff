"""The first page: what runs, how well, from which commit, and what changed last."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from app.application.invoking.contracts import contracts_in
from app.application.syncing.status import SourceStatus, SyncState
from app.application.views import AuditQuery, HookRow
from app.domain.triggers.contracts import TriggerContract
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.frame.wording import Told, Tone, matters, told
from app.web.dashboard.hooks.hook_lookup import lacking
from app.web.dashboard.journal.traffic import Traffic, recent_traffic
from app.web.dashboard.sources.revisions import applied_revision

_CHANGES = 8
_LOOKED_AT = 40
"""Events that are read to find so many that matter."""

_TONES: dict[SyncState, Tone] = {
    SyncState.SYNCED: "good",
    SyncState.OUT_OF_SYNC: "warn",
    SyncState.REJECTED: "bad",
    SyncState.UNKNOWN: "plain",
}


@dataclass(frozen=True, slots=True)
class TriggerLine:
    """A trigger, its hooks in order, and its traffic."""

    contract: TriggerContract
    hooks: tuple[HookRow, ...]
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A source, and who wrote the commit that is in force."""

    status: SourceStatus
    tone: Tone
    author: str | None


async def show(visit: Visit) -> Response:
    """Show the overview; a script that refreshes it gets the part that changes."""
    recent = await recent_traffic(visit.services)
    lines = [
        TriggerLine(
            contract,
            visit.table.active_hooks(contract.id),
            recent.by_trigger.get(contract.id, Traffic()),
        )
        for contract in contracts_in(visit.table)
    ]
    return visit.render(
        "overview_live.html" if visit.by_htmx else "overview.html",
        recent=recent,
        lines=lines,
        sources=[await _source(visit, status) for status in visit.services.sync.statuses()]
        if visit.may("read:sync")
        else [],
        changes=await _changes(visit) if visit.may("read:audit") else [],
        enabled=sum(hook.enabled for hook in visit.table.hooks.values()),
        hooks=len(visit.table.hooks),
        missing=[hook for hook in visit.table.hooks.values() if hook.enabled and lacking(hook)],
    )


async def _source(visit: Visit, status: SourceStatus) -> SourceLine:
    applied = await applied_revision(visit, status)
    return SourceLine(
        status, _TONES.get(status.state, "warn"), applied.who if applied is not None else None
    )


async def _changes(visit: Visit) -> list[Told]:
    page = await visit.services.read(
        partial(visit.services.audit.query, AuditQuery(), cursor=None, limit=_LOOKED_AT)
    )
    return [told(row) for row in page.items if matters(row)][:_CHANGES]


PAGES = (Page(path="/", handle=show, scope="read:hooks"),)
