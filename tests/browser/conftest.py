"""A real Chromium on a real server; without one (`make chromium`) nothing runs here."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
AXE = ROOT / "app/web/dashboard/frontend/node_modules/axe-core/axe.min.js"
BUILT = ROOT / "app/web/dashboard/static/manifest.json"
COMMAND = [sys.executable, "-m", "app"]
START_SECONDS = 60
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = (
        "there is no Chromium: `make chromium` installs Debian's"
        if chromium() is None
        else "the dashboard is not built: run `make setup`"
        if not BUILT.exists()
        else None
    )
    for item in items:
        if missing is not None and item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.skip(reason=missing))


@dataclass
class Server:
    """A server that follows a repository of its own."""

    root: Path
    address: str = ""
    token: str = ""
    link: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> Path:
        return self.root / "repository"

    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOOKLEDGER_REPO": str(self.repository),
            "HOOKLEDGER_DATA_DIR": str(self.root / "var"),
            "COLUMNS": "400",
            "LOGNAME": "ada",
            **self.settings,
        }

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=self.root, env=self.env(), capture_output=True, text=True, check=True
        )  # fmt: skip
        return done.stdout

    def new_link(self, role: str = "admin") -> str:
        return self.run("sessions", "link", "--role", role).split()[0]

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.repository, check=True, capture_output=True)

    def log(self) -> list[str]:
        """Return the subjects of the commits, newest first."""
        done = subprocess.run(["git", "log", "--format=%s"], cwd=self.repository, capture_output=True, text=True, check=True)  # fmt: skip
        return done.stdout.splitlines()

    def commit(self, message: str, author: str = "Ada Author <ada@example.com>") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--author", author, "--message", message)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.request(method, self.address + path, headers=headers, timeout=30, **options)

    def sign_up(self, address: str) -> httpx.Response:
        payload = {"user": {"email": address}, "context": {"connection": {"strategy": "auth0"}}}
        return self.ask("POST", "/v1/triggers/pre-user-registration/invoke", json=payload)


@contextlib.contextmanager
def serving(
    root: Path, *, samples: bool, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    server = Server(root, settings=settings or {})
    hooks = server.repository / "hooks_repo" / "hooks"
    hooks.mkdir(parents=True)
    if samples:
        shutil.copytree(ROOT / "hooks_repo", server.repository / "hooks_repo", dirs_exist_ok=True)
    else:
        (hooks / ".gitkeep").touch()
    server.git("init", "--quiet", "--initial-branch", "main")
    server.commit("Start")
    with (root / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--quickstart", "--port", "0"],
            cwd=root, env=server.env(), stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            server.address = m[1] if (m := re.search(r"serves on (\S+)", line)) else server.address
            server.link = m[1] if (m := re.search(r"Dashboard .*: (\S+)", line)) else server.link
            server.token = m[1] if (m := re.search(r"(hlt_\S+)", line)) else server.token
            if server.token:
                break
        watchdog.cancel()
        assert server.token, (root / "server.log").read_text()
        yield server
    finally:
        watchdog.cancel()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


@dataclass
class Visit:
    """A page of a browser, and everything it complained of."""

    server: Server
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.server.address + path)
        return self.page

    def sign_in(self, role: str = "admin") -> None:
        self.page.goto(self.server.new_link(role))
        self.page.wait_for_url(self.server.address + "/")

    def violations(self) -> list[str]:
        """Return what axe finds that shuts people out of the page."""
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{each['id']}: {each['help']} at {[node['target'] for node in each['nodes']][:3]}: "
            f"{each['nodes'][0]['failureSummary']}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; for one module, since Playwright's event loop would be in the way of other tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def serve() -> Callable[..., contextlib.AbstractContextManager[Server]]:
    """Serve a repository in a folder, by settings of its own."""
    return serving


@pytest.fixture(scope="session")
def sample_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("samples"), samples=True) as server:
        yield server


@pytest.fixture(scope="session")
def empty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("empty"), samples=False) as server:
        yield server


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Server]:
    """A server of an empty repository that nobody has used."""
    with serving(tmp_path, samples=False) as server:
        yield server


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open a page; what it complains of at any time fails the test."""
    opened: list[Visit] = []

    def open_page(server: Server, **options: Any) -> Visit:
        context = browser.new_context(**{"viewport": WIDE, "locale": "en-GB", **options})
        made = Visit(server, context, context.new_page())
        made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
        made.page.on(
            "console",
            lambda line: made.complaints.append(line.text) if line.type in ("error", "warning") else None,
        )  # fmt: skip
        opened.append(made)
        return made

    yield open_page
    complaints = [complaint for each in opened for complaint in each.complaints]
    for each in opened:
        each.context.close()
    assert complaints == []
