"""Who is signed in, and which programs may call; sessions can be ended here."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from app.domain.callers.client import SCOPES
from app.domain.callers.people import ROLE_SCOPES
from app.web.dashboard.frame.pages import Page, Visit
from app.web.protocol.errors import MissingScope

_OTHERS = "delete:hooks"
"""Whoever holds it administers the server, and may see and end the sessions of others."""


async def show(visit: Visit) -> Response:
    """Show the sessions that the person may see."""
    sessions = await visit.services.read(visit.services.sign_in.sessions)
    actor = visit.session.person.actor
    if not visit.may(_OTHERS):
        sessions = [one for one in sessions if one.person.actor == actor]
    clients = sorted(visit.table.clients.values(), key=lambda row: row.created_at, reverse=True)
    return visit.render(
        "access.html",
        sessions=sessions,
        clients=[client for client in clients if not client.revoked],
        scopes=SCOPES,
        roles=ROLE_SCOPES,
        sees_all=visit.may(_OTHERS),
    )


async def end_session(visit: Visit) -> Response:
    """End a session: one's own, or anybody's for whoever administers."""
    sign_in, wanted = visit.services.sign_in, visit.path["id"]
    sessions = await visit.services.read(sign_in.sessions)
    own = {one.id for one in sessions if one.person.actor == visit.session.person.actor}
    if wanted not in own and not visit.may(_OTHERS):
        raise MissingScope(_OTHERS)
    await visit.services.read(partial(sign_in.end, wanted))
    if wanted == visit.session.id:
        return visit.go("/login", "You are signed out.")
    return visit.go("/access", "The session is ended; its browser must sign in again.")


PAGES = (
    Page(path="/access", handle=show, scope=None, section="/access"),
    Page(
        path="/access/sessions/{id}/end",
        handle=end_session,
        scope=None,
        method="POST",
        section="/access",
    ),
)
