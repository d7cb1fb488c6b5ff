"""The history to take away: every event that matches the page's filters, as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial

from starlette.responses import Response, StreamingResponse

from app.application.history.evidence import evidence
from app.application.journal_views import Access
from app.application.views import AuditQuery
from app.web.dashboard.frame.pages import Page, Visit
from app.web.history.audit_export import STYLES, exported
from app.web.history.events import FILTERS, query_of
from app.web.protocol.endpoints import NDJSON
from app.web.protocol.parameters import choice
from app.web.protocol.rate_limits import address_of

EVIDENCE = "export:audit"
"""Scope of who may take away events as they are stored."""


async def download(visit: Visit) -> Response:
    """Stream a file; its first part comes before the headers, so that it may yet fail."""
    style, query = visit.values["format"] or "csv", query_of(visit.values)
    if style == "evidence":
        visit.require(EVIDENCE)
        name, media_type = "hookledger-evidence.ndjson", NDJSON
    else:
        name, media_type = f"hookledger-audit.{STYLES[style].ending}", STYLES[style].media_type
    read = visit.services.read
    parts = _parts(visit, query, style)
    first = await read(partial(next, parts, b""))
    visit.services.access.note(
        Access(
            "exported",
            visit.session.person.actor,
            address=address_of(visit.scope),
            route=f"{visit.page.method} {visit.page.path}",
            subject=f"audit format:{style}",
        )
    )

    async def body() -> AsyncIterator[bytes]:
        yield first
        while (part := await read(partial(next, parts, None))) is not None:
            yield part

    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(body(), headers=headers, media_type=media_type)


def _parts(visit: Visit, query: AuditQuery, style: str) -> Iterator[bytes]:
    services = visit.services
    if style == "evidence":
        return evidence(services.prover, services.audit, query, withhold=True)
    return exported(services.audit, query, STYLES[style])


PAGES = (
    Page(
        path="/history/download",
        handle=download,
        scope="read:audit",
        section="/history",
        parameters=(
            *FILTERS,
            choice("format", "How it is written; CSV if not given.", (*STYLES, "evidence")),
        ),
    ),
)
