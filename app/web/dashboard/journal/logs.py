"""What hooks write: as it comes, and what they wrote before."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from starlette.responses import Response

from app.application.journal_views import StoredLine
from app.application.observing.following import LineFilter, StoredLines
from app.application.observing.live import Chunk
from app.application.views import ActiveTable
from app.domain.errors import Unauthenticated
from app.web.dashboard.frame.exchange import session_of
from app.web.dashboard.frame.headers import protect
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.journal.filters import (
    HOOK,
    LEVEL,
    SINCE,
    TRIGGER,
    UNTIL,
    choices_of,
    query_of,
)
from app.web.observing.journal import hook_id_of, line_query
from app.web.observing.log_stream import AFTER, event, resumed_from, stream_answer
from app.web.protocol.errors import MissingScope
from app.web.protocol.parameters import CURSOR, text

SCOPE = "read:invocations"
BEGIN_WITH = 100
"""Lines that a live page shows before the first one comes."""
PAGE_SIZE = 100
LOOK_SECONDS = 5.0
"""How often a stream looks whether the session goes on."""


async def live(visit: Visit) -> Response:
    """Show the newest lines; a script puts those that come above them.

    The number to begin behind is read first: a line may come twice, which the script sees, never
    not at all.
    """
    after = await visit.services.read(lambda: visit.services.journal.newest()[1])
    found = await _past(visit, limit=BEGIN_WITH)
    return visit.render(
        "logs_lines.html" if visit.by_htmx else "logs.html",
        lines=found.items,
        after=after,
        hooks=visit.table.hooks,
        query=query_of(visit.values),
        **choices_of(visit),
    )


async def past(visit: Visit) -> Response:
    """Show a page of the lines that are looked for."""
    found = await _past(visit, limit=PAGE_SIZE)
    return visit.render(
        "past_lines.html" if visit.by_htmx else "past_logs.html",
        page=found,
        hooks=visit.table.hooks,
        **choices_of(visit),
    )


async def stream(visit: Visit) -> Response:
    """Answer lines as they are stored, to a script of ours."""
    values = visit.values
    services = visit.services
    wanted = LineFilter(
        hook_id=hook_id_of(visit.table, values["hook"]),
        trigger=values["trigger"],
        level=values["level"],
        text=values["text"],
    )
    response = stream_answer(
        services,
        services.live.lines,
        wanted,
        StoredLines(services.journal),
        after=resumed_from(visit.headers.raw, values["after"]),
        reader=visit.session.person.actor,
        write=lambda chunk: _written(services.hooks.table, chunk),
        admit_still=_Admission(visit).look,
    )
    protect(response, visit.nonce)
    return response


class _Admission:
    """Whether a session goes on and may still read, asked of the store now and then."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._looked = time.monotonic()

    async def look(self) -> None:
        """Raise ``Unauthenticated`` or ``MissingScope``."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        session = await session_of(self._visit)
        if session is None:
            raise Unauthenticated("The session has ended.")
        if SCOPE not in session.person.scopes:
            raise MissingScope(SCOPE)


async def _past(visit: Visit, *, limit: int) -> Any:
    query = line_query(visit.table, visit.values)
    return await visit.services.read(
        partial(visit.services.journal.lines, query, cursor=visit.values.get("cursor"), limit=limit)
    )


def _written(table: ActiveTable, chunk: Chunk[StoredLine]) -> bytes:
    return b"".join(event("line", _members(table, one), one.sequence) for one in chunk.items)


def _members(table: ActiveTable, stored: StoredLine) -> Mapping[str, Any]:
    line = stored.line
    hook = table.hooks.get(line.hook_id)
    return {
        "invocation": line.invocation_id,
        "hook": hook.name if hook is not None else line.hook_id,
        "at": line.at,
        "level": line.level,
        "text": line.text,
    }


_TEXT = text("text", "A part of the line.")
_FILTERS: Sequence[Any] = (HOOK, TRIGGER, LEVEL, _TEXT)
_SECTION = "/logs"

PAGES = (
    Page(path="/logs", handle=live, scope=SCOPE, section=_SECTION, parameters=_FILTERS),
    Page(
        path="/logs/past",
        handle=past,
        scope=SCOPE,
        section=_SECTION,
        parameters=(*_FILTERS, SINCE, UNTIL, CURSOR),
    ),
    Page(
        path="/logs/stream",
        handle=stream,
        scope=SCOPE,
        section=_SECTION,
        parameters=(*_FILTERS, AFTER),
    ),
)
