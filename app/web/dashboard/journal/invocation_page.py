"""One invocation: how it ended, where its time went, what it logged, what was recorded of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import orjson
from starlette.responses import Response

from app.application.journal_views import (
    Access,
    ExecutionQuery,
    ExecutionRecord,
    LogQuery,
    Recording,
    StoredLine,
)
from app.domain.errors import NotFound
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.frame.rendering import indented
from app.web.observing.invocations import SHOWN_LINES, SHOWN_RUNS, unknown_invocation
from app.web.protocol.rate_limits import address_of

PAYLOADS = "read:payloads"
WIDTH = 200
"""Of a bar, in its own units."""


@dataclass(frozen=True, slots=True)
class Run:
    """One hook's part in an invocation, or one attempt."""

    record: ExecutionRecord
    queued: float
    ran: float
    rest: float
    """Widths of the parts of its bar; ``rest`` is what the platform took."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Recorded content as the page shows it."""

    recording: Recording
    hook_name: str | None
    payload: str | None
    result: str | None


@dataclass(frozen=True, slots=True)
class _Found:
    runs: Sequence[Run]
    lines: Sequence[StoredLine]
    earlier: bool
    recorded: bool


async def show(visit: Visit) -> Response:
    """Show the invocation; whether anything was recorded, not what."""
    return await _show(visit, None)


async def show_recording(visit: Visit) -> Response:
    """Show what was recorded; that somebody looked is on record before."""
    recorded = await recorded_of(visit, visit.path["id"])
    if not recorded:
        raise NotFound(
            f"Nothing was recorded of the invocation `{visit.path['id']}`: its trigger may not say"
            ' `record = "masked"`, or it is past its time.'
        )
    if visit.by_htmx:
        return visit.render("recordings.html", recordings=recorded)
    return await _show(visit, recorded)


async def recorded_of(visit: Visit, invocation_id: str) -> Sequence[Recorded]:
    """Return recorded payloads and results, and note that this person asked for them."""
    visit.require(PAYLOADS)
    services = visit.services
    services.access.note(
        Access(
            "payload_read",
            visit.session.person.actor,
            address=address_of(visit.scope),
            route=f"{visit.page.method} {visit.page.path}",
            subject=f"invocation:{invocation_id}"[:100],
        )
    )
    found = await services.read(partial(services.journal.recordings, invocation_id))
    return [_recorded(visit, each) for each in found]


async def _show(visit: Visit, recordings: Sequence[Recorded] | None) -> Response:
    invocation_id = visit.path["id"]
    found = await visit.services.read(partial(_found, visit, invocation_id))
    if not found.runs and not found.lines:
        raise unknown_invocation(invocation_id)
    return visit.render(
        "invocation.html",
        invocation_id=invocation_id,
        runs=found.runs,
        lines=found.lines,
        earlier=found.earlier,
        recorded=found.recorded,
        recordings=recordings,
        hooks=visit.table.hooks,
        width=WIDTH,
    )


def _found(visit: Visit, invocation_id: str) -> _Found:
    journal = visit.services.journal
    runs = journal.executions(
        ExecutionQuery(invocation_id=invocation_id), cursor=None, limit=SHOWN_RUNS
    )
    lines = journal.lines(LogQuery(invocation_id=invocation_id), cursor=None, limit=SHOWN_LINES)
    longest = max((record.total_ms for record in runs.items), default=0.0)
    return _Found(
        [run_of(record, longest) for record in reversed(runs.items)],
        lines.items[::-1],
        lines.next is not None,
        journal.is_recorded(invocation_id),
    )


def run_of(record: ExecutionRecord, longest: float) -> Run:
    """Divide a run's time; the longest of the invocation fills the width."""
    unit = WIDTH / longest if longest else 0.0
    queued, ran = record.queued_ms * unit, record.ran_ms * unit
    rest = max(0.0, record.total_ms * unit - queued - ran)
    return Run(record, round(queued, 2), round(ran, 2), round(rest, 2))


def _recorded(visit: Visit, recording: Recording) -> Recorded:
    hook = visit.table.hooks.get(recording.hook_id or "")
    content = recording.content
    return Recorded(
        recording,
        hook.name if hook is not None else None,
        _indented(content.payload),
        _indented(content.result),
    )


def _indented(text: bytes | None) -> str | None:
    return None if text is None else indented(orjson.loads(text))


PAGES = (
    Page(path="/invocations/{id}", handle=show, scope="read:invocations", section="/logs"),
    Page(
        path="/invocations/{id}/recording", handle=show_recording, scope=PAYLOADS, section="/logs"
    ),
)
