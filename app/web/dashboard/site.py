"""Every page of the dashboard, put together; a new page's module is listed here."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.domain.errors import HookledgerError
from app.web.admission.exchange import ByMethod
from app.web.dashboard import overview
from app.web.dashboard.frame.assets import PLACE, AssetFiles, Assets, load_assets
from app.web.dashboard.frame.exchange import DoorstepExchange, PageExchange, arrival_of, error_page
from app.web.dashboard.frame.navigation import MENU
from app.web.dashboard.frame.pages import Doorstep, Page
from app.web.dashboard.frame.rendering import Renderer
from app.web.dashboard.hooks import (
    commit,
    editor,
    fixtures,
    hook_actions,
    hook_list,
    hook_page,
    runner,
    secret_list,
)
from app.web.dashboard.journal import invocation_list, invocation_page, logs
from app.web.dashboard.past import history, history_files, moments, verification
from app.web.dashboard.people import access, login
from app.web.dashboard.sources import commits, sync_page
from app.web.protocol.services import WebServices

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *hook_list.PAGES,
    *editor.PAGES,
    *commit.PAGES,
    *hook_page.PAGES,
    *hook_actions.PAGES,
    *secret_list.PAGES,
    *runner.PAGES,
    *fixtures.PAGES,
    *logs.PAGES,
    *invocation_list.PAGES,
    *invocation_page.PAGES,
    *sync_page.PAGES,
    *commits.PAGES,
    *verification.PAGES,
    *history_files.PAGES,
    *moments.PAGES,
    *history.PAGES,
    *access.PAGES,
    *login.PAGES,
)
DOORSTEPS: tuple[Doorstep, ...] = login.DOORSTEPS

_HOME = "/"


class Dashboard:
    """The pages as ASGI applications, by path."""

    def __init__(self, services: WebServices, assets: Assets | None = None) -> None:
        self._services = services
        self._assets = assets if assets is not None else load_assets()
        self._renderer = Renderer(self._assets, services.version)

    def routes(self) -> Iterator[Route]:
        """Return the routes of all pages but the first, which shares its path with the API."""
        yield Route(f"{PLACE}{{name}}", AssetFiles(self._assets))
        by_path: dict[str, dict[str, ASGIApp]] = {}
        for path, method, exchange in self._exchanges():
            by_path.setdefault(path, {})[method] = exchange
        for path, exchanges in by_path.items():
            if path != _HOME:
                yield Route(path, ByMethod(exchanges, self.answer_error))

    def home(self, otherwise: ASGIApp) -> ASGIApp:
        """Return what answers ``/``: browsers see the dashboard, programs ``otherwise``."""
        exchanges = {path: exchange for path, _, exchange in self._exchanges()}

        async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
            app = exchanges[_HOME] if is_browser(scope) else otherwise
            await app(scope, receive, send)

        return chosen

    def answer_error(self, error: HookledgerError, scope: Scope) -> Response:
        """Answer as a page what is no page's business, such as an address that nothing has."""
        return error_page(arrival_of(scope, self._services, self._renderer), error)

    def _exchanges(self) -> Iterator[tuple[str, str, ASGIApp]]:
        scopes = {page.path: page.scope for page in PAGES if page.method == "GET"}
        menu = [(entry, scopes[entry.path]) for entry in MENU if entry.path in scopes]
        for page in PAGES:
            yield page.path, page.method, PageExchange(page, self._services, self._renderer, menu)
        for step in DOORSTEPS:
            yield step.path, step.method, DoorstepExchange(step, self._services, self._renderer)


def is_browser(scope: Scope) -> bool:
    """Tell whether a page, or a part of one, is asked for rather than a document for a program."""
    if scope["method"] not in ("GET", "HEAD"):
        return False
    headers = Headers(scope=scope)
    return "text/html" in headers.get("accept", "") or headers.get("hx-request") == "true"
