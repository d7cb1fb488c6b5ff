"""The followed sources: where each stands, and what a person may do about it."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from urllib.parse import urlencode

from starlette.responses import Response

from app.application.syncing.results import SyncResult
from app.application.syncing.status import SyncState
from app.domain.errors import NotFound, Problem, Rejected
from app.web.dashboard.frame.pages import Handle, Page, Visit
from app.web.dashboard.frame.wording import Tone
from app.web.dashboard.hooks.hook_actions import reason_of
from app.web.dashboard.sources.revisions import applied_revision
from app.web.protocol.errors import RevisionRefused
from app.web.protocol.services import SourceDesk
from app.web.syncing.requests import SOURCE

SECTION = "/sync"
CONTROL = "control:sync"
TONES: dict[SyncState, Tone] = {
    SyncState.SYNCED: "good",
    SyncState.REJECTED: "bad",
    SyncState.UNKNOWN: "plain",
}
"""Of states; what is not here asks for a person: ``warn``."""
_WAIT = 5.0
"""Seconds until the page may tell what was before."""
_PAUSES = {"1": "1 hour", "4": "4 hours", "24": "1 day", "72": "3 days", "": "Somebody resumes"}
"""Hours, as people choose them."""


async def show(visit: Visit) -> Response:
    """Show one source, and lead to the others."""
    statuses, asked = visit.services.sync.statuses(), visit.values[SOURCE.name]
    shown = [status for status in statuses if asked in (None, status.id)][:1]
    if asked is not None and not shown:
        raise NotFound(f"There is no source `{asked[:80]}`.")
    applied = {status.id: await applied_revision(visit, status) for status in shown}
    return visit.render(
        "sync.html", statuses=statuses, shown=shown, applied=applied, tones=TONES, pauses=_PAUSES
    )


async def sync_now(visit: Visit) -> Response:
    """Apply the branch's tip; why it was refused stands on the page of the source."""
    source = source_of(visit)
    try:
        result = await source.sync()
    except Rejected:
        told = "The newest commit was refused; its problems are listed below."
        return visit.go(place_of(source.id), told)
    return await _shown(visit, source, result)


async def suspend(visit: Visit) -> Response:
    """Apply nothing by itself, for some hours or until somebody resumes."""
    hours = visit.form.word("hours")
    if hours not in _PAUSES:
        problem = Problem(f"must be one of: {', '.join(filter(None, _PAUSES))}", key="hours")
        raise Rejected("The source was not suspended.", problems=[problem])
    until = visit.services.clock() + timedelta(hours=int(hours)) if hours else None
    source, meta = source_of(visit), visit.meta(reason_of(visit, required=True))
    await visit.services.hooks.wait_for(await source.suspend(until, meta), timeout=_WAIT)
    return visit.go(place_of(source.id), "It is suspended: hooks go on running, commits wait.")


async def resume(visit: Visit) -> Response:
    """Follow the branch again."""
    source, meta = source_of(visit), visit.meta(reason_of(visit, required=True))
    await visit.services.hooks.wait_for(await source.resume(meta), timeout=_WAIT)
    return visit.go(place_of(source.id), "It is resumed: the branch's tip is applied soon.")


async def approve(visit: Visit) -> Response:
    """Apply the held plan, if it is still the one that the person saw."""
    source, digest = source_of(visit), visit.form.required("digest", "The plan's digest")
    meta = visit.meta(reason_of(visit, required=True))
    return await _shown(visit, source, await _run(source.approve(digest, meta)))


async def roll_back(visit: Visit) -> Response:
    """Put a commit in force again that was in force before."""
    source, commit = source_of(visit), visit.form.required("commit", "The commit")
    if all(commit != past.commit for past in source.status().history):
        problem = Problem("is none of the commits that were in force last", key="commit")
        raise Rejected("Nothing was rolled back.", problems=[problem])
    meta = visit.meta(reason_of(visit, required=True))
    return await _shown(visit, source, await _run(source.roll_back(commit, meta)))


def source_of(visit: Visit) -> SourceDesk:
    """Return the source that a form is about."""
    return visit.services.sync.one(visit.form.word("source") or None)


def place_of(source: str) -> str:
    """Return the address of a source's page."""
    return f"{SECTION}?{urlencode({SOURCE.name: source})}"


async def _run(run: Awaitable[SyncResult]) -> SyncResult:
    """Tell a commit that is refused from a form that was not filled in."""
    try:
        return await run
    except Rejected as refusal:
        raise RevisionRefused(refusal.message, problems=refusal.problems) from refusal


async def _shown(visit: Visit, source: SourceDesk, result: SyncResult) -> Response:
    """Show the source as it is after what was done."""
    await visit.services.hooks.wait_for(result.position, timeout=_WAIT)
    told = f"Commit {result.commit[:12]}: {result.status}, at position {result.position}."
    return visit.go(place_of(source.id), told)


def _action(name: str, handle: Handle, scope: str = CONTROL) -> Page:
    return Page(
        path=f"{SECTION}/{name}", handle=handle, scope=scope, method="POST", section=SECTION
    )


PAGES = (
    Page(path=SECTION, handle=show, scope="read:sync", section=SECTION, parameters=(SOURCE,)),
    _action("now", sync_now, "update:sync"),
    _action("suspend", suspend),
    _action("resume", resume),
    _action("approve", approve),
    _action("rollback", roll_back),
)
