"""What a page is: an address, the scope it needs, and the function that answers a visit."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from app.application.callers.sign_in import Device
from app.application.views import ActiveTable
from app.domain.aggregates import Meta
from app.domain.callers.people import Session
from app.web.dashboard.frame.cookies import Cookies
from app.web.dashboard.frame.forms import Form
from app.web.dashboard.frame.headers import protect
from app.web.dashboard.frame.navigation import Entry
from app.web.dashboard.frame.rendering import Renderer
from app.web.protocol.errors import MissingScope
from app.web.protocol.parameters import Parameter
from app.web.protocol.rate_limits import address_of
from app.web.protocol.services import WebServices


def _nonce() -> str:
    return secrets.token_urlsafe(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request by anybody."""

    services: WebServices
    renderer: Renderer
    scope: Scope
    headers: Headers
    cookies: Cookies
    values: Mapping[str, Any]
    """Query parameters, parsed."""
    form: Form
    nonce: str = field(default_factory=_nonce)

    @property
    def device(self) -> Device:
        return Device(self.headers.get("user-agent", ""), address_of(self.scope))

    @property
    def by_htmx(self) -> bool:
        """Whether a script asks for a part, rather than a browser for a page."""
        return self.headers.get("hx-request") == "true"

    def render(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Answer a template; it may use these values beside ``arrival`` and ``notice``."""
        given = {"arrival": self, "notice": self.cookies.notice(), **values}
        return self._rendered(template, status, given)

    def go(self, path: str, notice: str = "") -> Response:
        """Send the browser to another page, which says ``notice``."""
        if self.by_htmx:
            response = Response(status_code=204, headers={"hx-redirect": path})
        else:
            response = RedirectResponse(path, 303)
        protect(response, self.nonce)
        if notice:
            self.cookies.leave_notice(response, notice)
        return response

    def _rendered(self, template: str, status: int, values: Mapping[str, Any]) -> Response:
        response = self.renderer.page(template, values, nonce=self.nonce, status=status)
        if self.cookies.read("notice") and not self.by_htmx:
            self.cookies.clear(response, "notice")
        return response


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit(Arrival):
    """A request by somebody who is signed in and may make it."""

    table: ActiveTable
    """The table as it was when the request came in."""
    session: Session
    csrf: str
    """What forms must carry."""
    menu: Sequence[Entry]
    page: Page
    path: Mapping[str, str]
    """Parts of the path."""

    def may(self, scope: str) -> bool:
        """Tell whether the person holds a scope."""
        return scope in self.session.person.scopes

    def require(self, scope: str) -> None:
        """Raise ``MissingScope`` unless the person holds it."""
        if not self.may(scope):
            raise MissingScope(scope)

    def meta(self, reason: str = "") -> Meta:
        """Say that this person does it, here, and why."""
        return Meta(
            actor=self.session.person.actor,
            origin="dashboard",
            correlation_id=secrets.token_hex(8),
            reason=reason or None,
        )

    def render(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Answer a template; it may use these values beside ``visit`` and ``notice``."""
        given = {"visit": self, "notice": self.cookies.notice(), **values}
        return self._rendered(template, status, given)


Handle = Callable[[Visit], Awaitable[Response]]
"""Raises ``HookledgerError`` for what becomes a page that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One address of the dashboard."""

    path: str
    handle: Handle
    scope: str | None
    """What the person must hold; None: it is enough to be signed in."""
    method: Literal["GET", "POST"] = "GET"
    parameters: Sequence[Parameter] = ()
    section: str = "/"
    """Path of the menu's entry that it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorstep:
    """An address for those who are not signed in yet."""

    path: str
    handle: Callable[[Arrival], Awaitable[Response]]
    method: Literal["GET", "POST"] = "GET"
    parameters: Sequence[Parameter] = ()
