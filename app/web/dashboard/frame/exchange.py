"""One visit and its answer, for every page: who is it, may they, what do they ask; then the page.

Errors become pages here, with the sentence of the error: it says what to do. To a script, which
asked for a part of a page, they are a notice for the page it runs in.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.domain.callers.people import Session
from app.domain.errors import Forbidden, HookledgerError
from app.web.admission.access import note_refused, reason_of
from app.web.admission.exchange import note, reply
from app.web.dashboard.frame.cookies import Cookies
from app.web.dashboard.frame.forgery import (
    FIELD,
    HEADER,
    ForeignForm,
    forgery_token,
    require_same_site,
    require_token,
)
from app.web.dashboard.frame.forms import FORM_LIMIT, Form, read_form
from app.web.dashboard.frame.navigation import Entry
from app.web.dashboard.frame.pages import Arrival, Doorstep, Page, Visit
from app.web.dashboard.frame.rendering import Renderer
from app.web.history.events import latest_audit
from app.web.protocol.errors import Disconnected, MissingScope
from app.web.protocol.limits import read_body
from app.web.protocol.parameters import parse_query
from app.web.protocol.problem_types import PROBLEM_TYPES, type_of
from app.web.protocol.problems import headers_of, log_unexpected, place
from app.web.protocol.services import WebServices

SIGN_IN = "/login"


class Exchange:
    """What pages and doorsteps have in common."""

    def __init__(self, place: Page | Doorstep, services: WebServices, renderer: Renderer) -> None:
        self._place = place
        self._services = services
        self._renderer = renderer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        arrival = arrival_of(scope, self._services, self._renderer)
        try:
            response = await self._answered(arrival, scope, receive)
        except Disconnected:
            return
        except HookledgerError as error:
            if isinstance(error, Forbidden):
                await self._note_refused(arrival, error)
            response = error_page(arrival, error)
        except Exception as error:  # noqa: BLE001 (whatever it is, somebody waits for a page)
            response = unexpected_page(arrival, error)
        try:
            await reply(response, scope, receive, send)
        finally:
            note(scope, response.status_code, started, None)

    async def _answered(self, arrival: Arrival, scope: Scope, receive: Receive) -> Response:
        raise NotImplementedError

    async def _note_refused(self, arrival: Arrival, error: Forbidden) -> None:
        session = await session_of(arrival)
        reason = "foreign form" if isinstance(error, ForeignForm) else reason_of(error)
        note_refused(
            self._services.access,
            arrival.scope,
            f"{self._place.method} {self._place.path}",
            reason,
            session.person.actor if session is not None else "",
        )

    async def _form(self, arrival: Arrival, receive: Receive) -> Form:
        """Read what a form of ours sends."""
        if self._place.method == "GET":
            return Form([])
        require_same_site(arrival.headers)
        return read_form(
            arrival.headers.raw, await read_body(arrival.headers.raw, receive, FORM_LIMIT)
        )


class DoorstepExchange(Exchange):
    """Answers those who are not signed in."""

    def __init__(self, place: Doorstep, services: WebServices, renderer: Renderer) -> None:
        super().__init__(place, services, renderer)
        self._doorstep = place

    async def _answered(self, arrival: Arrival, scope: Scope, receive: Receive) -> Response:
        values = parse_query(scope["query_string"], self._doorstep.parameters)
        form = await self._form(arrival, receive)
        return await self._doorstep.handle(
            arrival_of(scope, self._services, self._renderer, values=values, form=form)
        )


class PageExchange(Exchange):
    """Answers those who are signed in; others are sent to sign in."""

    def __init__(
        self,
        place: Page,
        services: WebServices,
        renderer: Renderer,
        menu: Sequence[tuple[Entry, str | None]],
    ) -> None:
        super().__init__(place, services, renderer)
        self._page = place
        self._menu = menu
        """Each entry with the scope of its page."""

    async def _answered(self, arrival: Arrival, scope: Scope, receive: Receive) -> Response:
        session = await session_of(arrival)
        if session is None:
            return _to_sign_in(arrival, scope)
        token, held = arrival.cookies.read("session"), session.person.scopes
        form = await self._form(arrival, receive)
        if self._page.method != "GET":
            require_token(token, arrival.headers.get(HEADER) or form.text(FIELD))
        if self._page.scope is not None and self._page.scope not in held:
            raise MissingScope(self._page.scope)
        if self._page.method == "GET":
            await latest_audit(self._services)
        return await self._page.handle(
            Visit(
                services=self._services,
                renderer=self._renderer,
                scope=scope,
                headers=arrival.headers,
                cookies=arrival.cookies,
                values=parse_query(_filled(scope["query_string"]), self._page.parameters),
                form=form,
                nonce=arrival.nonce,
                table=self._services.hooks.table,
                session=session,
                csrf=forgery_token(token),
                menu=[entry for entry, scope in self._menu if scope is None or scope in held],
                page=self._page,
                path=scope.get("path_params", {}),
            )
        )


def arrival_of(
    scope: Scope,
    services: WebServices,
    renderer: Renderer,
    *,
    values: dict[str, object] | None = None,
    form: Form | None = None,
) -> Arrival:
    """Take a request for what it is before anybody is asked who they are."""
    return Arrival(
        services=services,
        renderer=renderer,
        scope=scope,
        headers=Headers(scope=scope),
        cookies=Cookies.of(scope, secure=services.address.startswith("https:")),
        values=values or {},
        form=form or Form([]),
    )


async def session_of(arrival: Arrival) -> Session | None:
    """Return the session of whoever asks, if they are signed in."""
    token = arrival.cookies.read("session")
    if not token:
        return None
    services = arrival.services
    return await services.read(partial(services.sign_in.resume, services.hooks.table, token))


def error_page(arrival: Arrival, error: HookledgerError) -> Response:
    """Say what is wrong, and what to do."""
    kind = type_of(error)
    response = arrival.render(
        "notice.html" if arrival.by_htmx else "error.html",
        status=kind.status,
        title=kind.title,
        sentence=error.message,
        problems=error.problems,
        correlation_id=None,
    )
    response.headers.update(
        {name: value for name, value in headers_of(error).items() if name != "www-authenticate"}
    )
    return response


def unexpected_page(arrival: Arrival, error: Exception) -> Response:
    """Say that nobody foresaw it, and by which number the log tells the cause."""
    kind = PROBLEM_TYPES["internal"]
    return arrival.render(
        "notice.html" if arrival.by_htmx else "error.html",
        status=kind.status,
        title=kind.title,
        sentence=kind.remedy,
        problems=(),
        correlation_id=log_unexpected(error, arrival.scope),
    )


def _filled(query: bytes) -> bytes:
    """Leave out what is empty: a form sends all its fields, also those nobody filled in."""
    return b"&".join(part for part in query.split(b"&") if part.partition(b"=")[2])


def _to_sign_in(arrival: Arrival, scope: Scope) -> Response:
    asked = place(scope)
    if scope["query_string"]:
        asked += "?" + scope["query_string"].decode("latin-1")
    onward = "" if scope["method"] != "GET" or asked == "/" else f"?next={quote(asked, safe='')}"
    if not arrival.by_htmx:
        return arrival.go(f"{SIGN_IN}{onward}")
    return Response(status_code=401, headers={"hx-redirect": SIGN_IN})
