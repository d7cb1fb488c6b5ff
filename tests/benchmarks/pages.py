"""The dashboard's pages in a real browser, of a server with a long history and many hooks.

Each page is loaded cold: a new context, which has kept nothing. *Interactive* is what web.dev
calls Time to Interactive, with a shorter quiet window: from the beginning of the navigation until
the first paint is done, the document is read and its (deferred) scripts have run, and the last long
task (50 ms and more) is over. The floor is a page without scripts from the same server: its icon.
Browser and server share the machine's cores.

    python -m tests.benchmarks.pages FOLDER

keeps the data in FOLDER, and makes it only if it is not there.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tests.benchmarks import page_data
from tests.benchmarks.page_data import Size
from tests.benchmarks.processes import Measured, hookledger

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

BYTES, MILLISECONDS = 300_000, 1_000
"""What a first view may cost."""

_QUIET_MS = 500
_WATCH = """
window.lastLongTask = 0;
new PerformanceObserver((list) => {
  for (const task of list.getEntries())
    window.lastLongTask = Math.max(window.lastLongTask, task.startTime + task.duration);
}).observe({ type: "longtask", buffered: true });
"""
_READ = """
(quiet) => new Promise((resolve) => {
  const [way] = performance.getEntriesByType("navigation");
  const look = () => {
    const painted = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0;
    const ready = Math.max(way.domContentLoadedEventEnd, painted, window.lastLongTask);
    if (way.domContentLoadedEventEnd && performance.now() - ready > quiet)
      resolve({ ready, server: way.responseStart - way.requestStart });
    else setTimeout(look, 50);
  };
  look();
})
"""


@dataclass(frozen=True, slots=True)
class Load:
    """One cold load of a page."""

    transferred: int
    """Bytes of everything that was loaded, headers included."""
    interactive_ms: float
    server_ms: float
    """From the request to the first byte of the document."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians of a page's loads."""

    what: str
    transferred: int
    interactive_ms: float
    server_ms: float
    of_floor: float
    """Time to interactive by that of the floor, round by round."""


def measure(size: Size, rounds: int = 5) -> Sequence[Figures]:
    """Make a full folder, serve it, and load every page so many times, floor first."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        return measure_folder(root, page_data.fill(root, size), rounds)


def measure_folder(root: Path, repository: Path, rounds: int) -> Sequence[Figures]:
    """Measure the server of a folder that is full already."""
    settings = {"HOOKLEDGER_SOURCE": page_data.SOURCE, "HOOKLEDGER_JOURNAL_MEGABYTES": "4096"}
    with hookledger(root, repository, **settings) as server, _browser() as browser:
        with _signed_in(browser, server) as (page, _):
            state = page.context.storage_state()
            floor, places = _places(page)
        visits = {"floor: a page without scripts": floor, **places}
        _load(browser, server, floor, state)
        loads: dict[str, list[Load]] = {what: [] for what in visits}
        for _ in range(rounds):
            for what, path in visits.items():
                loads[what].append(_load(browser, server, path, state))
    floors = next(iter(loads.values()))
    return [_figures(what, of_page, floors) for what, of_page in loads.items()]


def report(figures: Sequence[Figures], size: Size) -> str:
    """Write the section of the report."""
    head = f"""
## The dashboard's pages, of {size.events:,} events

Measured by `python -m tests.benchmarks --only pages`: each page loaded cold in Chromium, on the
machine of the server, with {size.hooks:,} hooks and {size.invocations:,} invocations in the journal;
medians of several loads. *Interactive*: from the
beginning of the navigation until the page is painted, its scripts have run and the last long task
is over. *First byte*: what of that the server took for the document. *Floor* is a page without
scripts from the same server. Wanted are at most {BYTES // 1000} kB and {MILLISECONDS:,} ms.

| page | of the floor | interactive | first byte | transferred |
| --- | --- | --- | --- | --- |
"""
    return head + "".join(
        f"| {f.what} | {f.of_floor:.1f} | **{f.interactive_ms:.0f} ms** | {f.server_ms:.0f} ms "
        f"| **{f.transferred / 1000:.0f} kB** |\n"
        for f in figures
    )


def _places(page: Page) -> tuple[str, Mapping[str, str]]:
    """Find the addresses to load; some follow from what the first pages show."""
    origin = page.url.rstrip("/")

    def first(path: str, links: str) -> str:
        page.goto(origin + path)
        found = page.locator(links).first.get_attribute("href")
        assert found is not None, f"{path} has no {links}"
        return found

    icon = first("/", "link[rel=icon]")
    hook = first("/hooks", "#rows tbody th a")
    ours = first("/hooks?text=hook-0", "#rows tbody th a")
    newest = int(first("/history", "#rows .events a").rpartition("/")[2])
    named = hook.rpartition("/")[2]
    return icon, {
        "overview": "/",
        "hooks": "/hooks",
        "hooks, found": "/hooks?text=policy&state=disabled",
        "one hook": hook,
        "one hook, versions": f"{hook}/versions",
        "one hook, editor": f"{ours}/edit",
        "new hook": "/new-hook",
        "secrets": "/secrets",
        "logs": "/logs",
        "logs, past": "/logs/past?level=error",
        "invocations": "/invocations",
        "invocations, found": "/invocations?outcome=unsuccessful&min_ms=5",
        "one invocation": first("/invocations", "#rows tbody th a"),
        "history": "/history",
        "history, filters": f"/history?hook={named}&type=hook.script_changed",
        "history, words": "/history?text=ticket+renamed",
        "history, a frequent word": "/history?text=hook",
        "one event": f"/history/{newest}",
        "an old event": f"/history/{newest // 10}",
        "hooks as they were": f"/history/as-of?as_of={newest // 2}",
        "hooks as they are": "/history/as-of",
        "verification": "/history/verification",
        "sync": "/sync",
        "sync, commits": f"/sync/{page_data.SOURCE}/commits",
        "access": "/access",
    }


def _load(browser: Browser, server: Measured, path: str, state: Any) -> Load:
    with _context(browser, storage_state=state) as (page, context):
        sizes: list[float] = []
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on(
            "Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"])
        )
        page.add_init_script(_WATCH)
        answer = page.goto(server.address + path, wait_until="domcontentloaded")
        assert answer is not None
        if not answer.ok:
            raise RuntimeError(f"{path} answers {answer.status}")
        found = page.evaluate(_READ, _QUIET_MS)
        return Load(int(sum(sizes)), found["ready"], found["server"])


def _figures(what: str, loads: Sequence[Load], floors: Sequence[Load]) -> Figures:
    def median(of: Callable[[Load], float]) -> float:
        return statistics.median(map(of, loads))

    return Figures(
        what,
        int(median(lambda load: load.transferred)),
        median(lambda load: load.interactive_ms),
        median(lambda load: load.server_ms),
        statistics.median(
            load.interactive_ms / floor.interactive_ms
            for load, floor in zip(loads, floors, strict=True)
        ),
    )


@contextlib.contextmanager
def _browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise RuntimeError("there is no Chromium: `make chromium` installs Debian's")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextlib.contextmanager
def _context(browser: Browser, **options: Any) -> Iterator[tuple[Page, BrowserContext]]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
    try:
        yield context.new_page(), context
    finally:
        context.close()


@contextlib.contextmanager
def _signed_in(browser: Browser, server: Measured) -> Iterator[tuple[Page, BrowserContext]]:
    with _context(browser) as (page, context):
        page.goto(server.link)
        page.wait_for_url(f"{server.address}/")
        yield page, context


def _main(folder: Path, rounds: int = 3) -> None:
    repository = folder / "repository"
    if not repository.exists():
        page_data.fill(folder, Size())
    figures = measure_folder(folder, repository, rounds)
    Console().print(report(figures, Size()), markup=False, soft_wrap=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
