"""Verifying the whole history at the press of a button: progress, outcome, what it means."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from app.application.journal_views import Access
from app.web.dashboard.frame.pages import Page, Visit
from app.web.protocol.rate_limits import address_of

_PLACE = "/history/verification"
_SECTION = "/history"


async def show(visit: Visit) -> Response:
    """Show the run that goes on, which renews itself, or how the last one ended."""
    return visit.render(
        "verification_run.html" if visit.by_htmx else "verification.html",
        run=visit.services.verifications.latest,
    )


async def begin(visit: Visit) -> Response:
    """Begin to verify, unless that goes on already."""
    actor = visit.session.person.actor
    visit.services.access.note(
        Access(
            "verified",
            actor,
            address=address_of(visit.scope),
            route=f"{visit.page.method} {visit.page.path}",
        )
    )
    await visit.services.read(partial(visit.services.verifications.start, actor))
    return visit.go(_PLACE)


PAGES = (
    Page(path=_PLACE, handle=show, scope="read:audit", section=_SECTION),
    Page(path=_PLACE, handle=begin, scope="read:audit", section=_SECTION, method="POST"),
)
