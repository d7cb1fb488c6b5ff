"""The hooks as they were at any moment, what has changed since, and a slider to go there by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from starlette.responses import Response

from app.application.history.table_diff import diff_tables
from app.application.views import ActiveTable, AuditQuery, CountBy, HookRow
from app.domain.errors import NotFound
from app.domain.revisions import Position
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.frame.wording import Told, told
from app.web.dashboard.hooks.hook_list import PAGE_SIZE, first_shown
from app.web.dashboard.journal.filters import query_of, with_zone
from app.web.dashboard.past.day_chart import DayChart, day_chart
from app.web.protocol.moments import MOMENT
from app.web.protocol.parameters import CURSOR, text, whole_number
from app.web.protocol.services import WebServices

_SECTION = "/history"
_PLACE = "/history/as-of"
_COMPARED = 25
_STEPS = 400
"""Stops of the slider, at least, where time is long enough."""
_SECONDS = (1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600)
"""Distances between stops that people can say."""


@dataclass(frozen=True, slots=True)
class Slider:
    """A way along the time from the first event to the newest, in seconds since 1970."""

    first: int
    last: int
    step: int
    chart: DayChart

    def at(self, moment: datetime) -> int:
        """Return the stop at or before a moment."""
        passed = max(0, int(moment.timestamp()) - self.first)
        return min(self.first + passed // self.step * self.step, self.last)


async def show(visit: Visit) -> Response:
    """Show the hooks as they were, in pages, and what has changed since, in pages too."""
    services, values = visit.services, visit.values
    now = await services.read(services.past.newest)
    if not now.position:
        return visit.render("past.html", now=now)
    then = await services.read(partial(services.past.as_of, _moment(visit, now)))
    event = await _event(services, then.position)
    slider = await _slider(visit, now.position)
    found = sorted(
        (hook for hook in then.hooks.values() if _is(hook, values["text"])),
        key=lambda hook: (not hook.enabled, hook.trigger, hook.name),
    )
    first = first_shown(values["cursor"])
    return visit.render(
        "past_table.html" if visit.by_htmx else "past.html",
        then=then,
        now=now,
        event=event,
        slider=slider,
        hooks=found[first : first + PAGE_SIZE],
        total=len(found),
        first=first,
        size=PAGE_SIZE,
        changes=diff_tables(then, now, beyond=values["beyond"] or "", limit=_COMPARED),
        values=values,
        address=partial(_address, then.position, values["text"]),
        day=_day(event.row.at),
    )


def _moment(visit: Visit, now: ActiveTable) -> str:
    """Return the moment asked for; the slider ends in the second of the newest event."""
    seconds, asked = visit.values["at"], visit.values["as_of"]
    clock = visit.services.clock()
    if seconds is not None and seconds < clock.timestamp():
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    return str(now.position) if asked is None or seconds is not None else with_zone(asked)


async def _event(services: WebServices, position: Position) -> Told:
    query = AuditQuery(from_position=position, to_position=position)
    page = await services.read(partial(services.audit.query, query, cursor=None, limit=1))
    if not page.items:
        raise NotFound(f"The audit log does not tell of position {position} yet. Try again.")
    return told(page.items[0])


async def _slider(visit: Visit, newest: Position) -> Slider | None:
    """Return the slider; None while there is no time to go along, or only a part is asked for."""
    if visit.by_htmx:
        return None
    services = visit.services
    ends = [(await _event(services, at)).row.at for at in (Position(1), newest)]
    counts = await services.read(partial(services.audit.counts, AuditQuery(), by=CountBy.DAY))
    last = math.ceil(max(ends).timestamp())
    span = last - math.ceil(min(ends).timestamp())
    step = max((each for each in _SECONDS if each * _STEPS <= span), default=1)
    first = last - span // step * step
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (first, last))
    chart = day_chart(counts.counts, begin=begin, end=end)
    return Slider(first, last, step, chart) if chart is not None and span > 0 else None


def _is(hook: HookRow, words: str | None) -> bool:
    return all(word in hook.name or word in hook.trigger for word in (words or "").lower().split())


def _address(position: Position, words: str | None, **others: Any) -> str:
    return f"{_PLACE}?{query_of({'as_of': position, 'text': words}, **others)}"


def _day(at: datetime) -> str:
    """Return the query of the history that chooses the day of a moment, in UTC."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return query_of({"since": day, "until": day + timedelta(days=1)})


PAGES = (
    Page(
        path=_PLACE,
        handle=show,
        scope="read:hooks",
        section=_SECTION,
        parameters=(
            text("as_of", f"As it was then: {MOMENT}. Now, if not given."),
            whole_number("at", "The same in seconds since 1970, as the slider says it."),
            text("text", "Words that the hook's name or trigger holds."),
            CURSOR,
            text("beyond", "Behind which hook the differences go on."),
        ),
    ),
)
