"""Signing in and out: by a link that opens once, as a client, or with an identity provider."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from urllib.parse import unquote

from starlette.responses import Response

from app.application.callers.sign_in import Begun
from app.domain.errors import Forbidden, HookledgerError, NotFound, Unauthenticated
from app.web.admission.access import note_refused
from app.web.dashboard.frame.pages import Arrival, Doorstep, Page, Visit
from app.web.protocol.errors import TooManyRequests
from app.web.protocol.parameters import text
from app.web.protocol.problem_types import type_of

_ATTEMPT = timedelta(minutes=10)
_OURS = re.compile(r"/(?![/\\])[^\x00-\x20\\]{0,1500}\Z")
"""A path on this server, and nothing that a browser could take for another."""
_NEXT = text("next", "The page to go on to.")


async def show(arrival: Arrival) -> Response:
    """Show the ways in."""
    return _door(arrival, arrival.values["next"] or "/")


async def by_link(arrival: Arrival) -> Response:
    """Take the secret part of a link, which a script took out of the address."""
    return await _let_in(
        arrival,
        partial(arrival.services.sign_in.by_link, arrival.form.word("token"), arrival.device),
    )


async def by_client(arrival: Arrival) -> Response:
    """Take a client's id and secret."""
    services, form = arrival.services, arrival.form
    client_id, secret = form.word("client_id"), form.word("client_secret")
    table, device = services.hooks.table, arrival.device
    return await _let_in(
        arrival, partial(services.sign_in.by_client, table, client_id, secret, device)
    )


async def to_provider(arrival: Arrival) -> Response:
    """Send the browser to the identity provider."""
    _charge(arrival)
    try:
        departure = await arrival.services.sign_in.depart(_onward(arrival.form.text("next")))
    except NotFound:
        raise
    except HookledgerError as error:
        return _door(arrival, arrival.form.text("next"), error)
    provider = arrival.services.sign_in.openid
    response = arrival.render("depart.html", address=departure.address, provider=provider)
    arrival.cookies.write(response, "signin", departure.browser, _ATTEMPT)
    return response


async def from_provider(arrival: Arrival) -> Response:
    """Take what the identity provider sends the browser back with (OpenID Core, 3.1.2.5)."""
    _charge(arrival)
    values = arrival.values
    browser = arrival.cookies.read("signin")
    try:
        if values["error"] is not None or values["state"] is None or values["code"] is None:
            said = values["error_description"] or values["error"] or "it sent no code"
            raise Unauthenticated(f"The identity provider did not sign you in: {said}.")
        begun = await arrival.services.sign_in.by_openid(
            values["state"], values["code"], browser, arrival.device
        )
    except HookledgerError as error:
        if isinstance(error, Unauthenticated | Forbidden):
            _note_refused(arrival)
        response = _door(arrival, "/", error)
    else:
        response = _welcomed(arrival, begun, begun.onward)
    arrival.cookies.clear(response, "signin")
    return response


async def sign_out(visit: Visit) -> Response:
    """End the session."""
    sign_in = visit.services.sign_in
    await visit.services.read(partial(sign_in.end, visit.session.id))
    response = visit.go("/login", "You are signed out.")
    visit.cookies.clear(response, "session")
    response.headers["clear-site-data"] = '"cache"'
    return response


async def _let_in(arrival: Arrival, begin: partial[Begun]) -> Response:
    onward = _onward(arrival.form.text("next"))
    try:
        _charge(arrival)
        begun = await arrival.services.read(begin)
    except TooManyRequests as error:
        return _door(arrival, onward, error)
    except Unauthenticated as error:
        _note_refused(arrival)
        return _door(arrival, onward, error)
    return _welcomed(arrival, begun, onward)


def _note_refused(arrival: Arrival) -> None:
    """Note a sign-in that came to nothing; of what was sent, only a client that exists."""
    named = arrival.form.text("client_id")
    client = named if named in arrival.services.hooks.table.clients else ""
    scope = arrival.scope
    route = f"{scope['method']} {scope['path']}"
    note_refused(arrival.services.access, scope, route, "bad sign-in", client)


def _welcomed(arrival: Arrival, begun: Begun, onward: str) -> Response:
    response = arrival.go(_onward(onward))
    lifetime = arrival.services.sign_in.lifetime
    arrival.cookies.write(response, "session", begun.token, lifetime)
    return response


def _door(arrival: Arrival, onward: str, error: HookledgerError | None = None) -> Response:
    return arrival.render(
        "login.html",
        status=200 if error is None else type_of(error).status,
        onward=_onward(onward),
        error=error,
        provider=arrival.services.sign_in.openid,
    )


def _charge(arrival: Arrival) -> None:
    """Take from the bucket of this address, as the token endpoint does."""
    buckets = arrival.services.limits.tokens
    if buckets is not None:
        allowance = buckets.take(f"sign-in {arrival.device.address}")
        if allowance.wait:
            raise TooManyRequests(allowance)


def _onward(path: str) -> str:
    """Return a path to go on to; the overview for what would lead elsewhere."""
    return path if _OURS.match(path) and _OURS.match(unquote(path)) else "/"


DOORSTEPS = (
    Doorstep(path="/login", handle=show, parameters=(_NEXT,)),
    Doorstep(path="/login/link", handle=by_link, method="POST"),
    Doorstep(path="/login/client", handle=by_client, method="POST"),
    Doorstep(path="/login/openid", handle=to_provider, method="POST"),
    Doorstep(
        path="/login/openid/return",
        handle=from_provider,
        parameters=tuple(
            text(name, "What the identity provider says.")
            for name in (
                *("state", "code", "error", "error_description", "error_uri"),
                *("iss", "session_state", "scope", "authuser", "prompt", "hd"),
            )
        ),
    ),
)
PAGES = (Page(path="/logout", handle=sign_out, scope=None, method="POST"),)
