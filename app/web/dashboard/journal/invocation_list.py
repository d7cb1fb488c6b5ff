"""What was invoked, newest first, by any filter."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from app.application.journal_views import ExecutionQuery
from app.domain.outcomes import OutcomeKind
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.journal.filters import HOOK, SINCE, TRIGGER, UNTIL, choices_of
from app.web.observing.journal import MIN_MS
from app.web.protocol.parameters import CURSOR, choice, text

PAGE_SIZE = 50
UNSUCCESSFUL = "unsuccessful"
OUTCOMES = (UNSUCCESSFUL, *(kind.value for kind in OutcomeKind))


async def show(visit: Visit) -> Response:
    """Show a page of the invocations that are looked for."""
    values = visit.values
    page = await visit.services.read(
        partial(
            visit.services.journal.executions,
            execution_query(values),
            cursor=values["cursor"],
            limit=PAGE_SIZE,
        )
    )
    return visit.render(
        "invocation_rows.html" if visit.by_htmx else "invocation_list.html",
        page=page,
        outcomes=OUTCOMES,
        **choices_of(visit),
    )


def execution_query(values: Mapping[str, Any]) -> ExecutionQuery:
    """Make a query of an address's filters."""
    outcome = values["outcome"]
    return ExecutionQuery(
        trigger=values["trigger"],
        hook=values["hook"],
        commit=values["commit"],
        kind=OutcomeKind(outcome) if outcome not in (None, UNSUCCESSFUL) else None,
        unsuccessful=outcome == UNSUCCESSFUL,
        since=values["since"],
        until=values["until"],
        caller=values["caller"],
        min_ms=values["min_ms"],
        text=values["text"],
    )


PAGES = (
    Page(
        path="/invocations",
        handle=show,
        scope="read:invocations",
        section="/logs",
        parameters=(
            TRIGGER,
            HOOK,
            choice("outcome", "How it ended.", OUTCOMES),
            text("commit", "The commit that ran: its full id."),
            text("caller", "Id of the client that called; `queue` for deliveries."),
            MIN_MS,
            text("text", "A part of the error's sentence."),
            SINCE,
            UNTIL,
            CURSOR,
        ),
    ),
)
