"""Runners that live as long as a module's tests, on an event loop in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from app.domain.outcomes import Call, HookVersion, Language, Lifecycle, Limits, LogLine, Outcome
from app.runtime.doctor import probe
from app.runtime.isolation import LayerReport, Level, level_of
from app.runtime.runner import DEFAULT_FIRST_UID, IsolatedRunner

T = TypeVar("T")

ATTEMPT = """
import errno
def attempt(action, *arguments):
    try:
        return {"got": repr(action(*arguments))}
    except BaseException as error:
        number = getattr(error, "errno", None)
        return {"refused": errno.errorcode.get(number, type(error).__name__)}
"""


class House:
    """A started runner, with what its hooks logged, driven from a test."""

    def __init__(
        self,
        *,
        namespaces: bool = True,
        most: int = 16,
        max_memory: str = "16GiB",
        node: Path | None = None,
        node_reserve: int = 0,
        packages_root: Path | None = None,
    ) -> None:
        self.lines: list[LogLine] = []
        self.runner = IsolatedRunner(
            isolation="required",
            on_log=self.lines.append,
            clock=lambda: datetime.now(UTC),
            worker_uid_base=DEFAULT_FIRST_UID,
            max_workers_total=most,
            max_memory=max_memory,
            namespaces=namespaces,
            node=node,
            node_reserve=node_reserve,
            packages_root=packages_root,
        )
        # As in production, and as in Python alone: each level of isolation gets one of the two.
        self._loop = uvloop.new_event_loop() if namespaces else asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._keys = 0

    def do(self, work: Coroutine[Any, Any, T], seconds: float = 60) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def later(self, work: Coroutine[Any, Any, T]) -> Callable[[], T]:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return lambda: future.result(60)

    def version(
        self,
        script: str,
        *,
        secrets: dict[str, str] | None = None,
        parameters: tuple[str, ...] = ("event", "context"),
        language: Language = "python",
        packages: str | None = None,
        lifecycle: Lifecycle = Lifecycle(),  # noqa: B008 (frozen)
        **limits: int,
    ) -> HookVersion:
        self._keys += 1
        given = dict(secrets or {})
        return HookVersion(
            key=f"version-{self._keys}",
            hook_id=f"hook-{self._keys}",
            name=f"hook {self._keys}",
            trigger="test",
            language=language,
            packages=packages,
            script=script,
            parameters=parameters,
            open_secrets=lambda: given,
            limits=Limits(**limits),
            lifecycle=lifecycle,
        )

    def call(
        self, version: HookVersion, event: object = None, *, timeout: float = 10, name: str = "call"
    ) -> Outcome:
        return self.do(self.runner.run(version, call_with(event, timeout=timeout, name=name)))

    def distrust(self, version: HookVersion, outcome: Outcome) -> None:
        self._loop.call_soon_threadsafe(self.runner.distrust, version, outcome)

    def lines_of(self, name: str) -> list[str]:
        return [line.text for line in self.lines if line.invocation_id == name]

    def processes(self) -> dict[int, str]:
        """Every process of the runner: pid and state; they are one session that no hook can leave."""
        session = self.runner.launcher_pid
        return {} if session is None else session_members(session)

    def close(self) -> None:
        self.do(self.runner.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def call_with(event: object = None, *, timeout: float = 10, name: str = "call") -> Call:
    return Call(name, json.dumps({"event": event, "context": {"from": "a test"}}).encode(), timeout)


def session_members(session: int) -> dict[int, str]:
    members = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session:
                members[int(entry.name)] = fields[0]
    return members


def wait_until(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        pause.wait(0.01)


@pytest.fixture(scope="session")
def reports() -> tuple[LayerReport, ...]:
    return probe(DEFAULT_FIRST_UID)


@pytest.fixture(scope="session")
def packages_root() -> Iterator[Path]:
    """A folder of packages as every user may read it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module", params=["full", "container"])
def house(
    request: pytest.FixtureRequest, reports: tuple[LayerReport, ...], packages_root: Path
) -> Iterator[House]:
    """One runner per level of isolation; tests that use it run once at each."""
    wanted: Level = request.param
    if wanted == "full" and level_of(reports) != "full":
        why = "; ".join(f"{r.name}: {r.why_not}" for r in reports if not r.in_force)
        pytest.skip(f"this machine cannot isolate fully ({why})")
    made = House(namespaces=wanted == "full", packages_root=packages_root)
    made.do(made.runner.start())
    assert made.runner.level == wanted
    yield made
    made.close()


@pytest.fixture(scope="session")
def new_house() -> type[House]:
    return House


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], bool]], None]:
    return wait_until


@pytest.fixture(scope="session")
def payload() -> Callable[..., Call]:
    return call_with


@pytest.fixture(scope="session")
def session() -> Callable[[int], dict[int, str]]:
    return session_members


def left_by_workers() -> set[str]:
    """Return what outlives a process: shared memory, queues and files, of the users of workers."""
    users = range(DEFAULT_FIRST_UID, DEFAULT_FIRST_UID + 1000) if os.getuid() == 0 else ()
    found = set()
    for kind in ("shm", "msg", "sem"):
        titles, *rows = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()
        owner = titles.split().index("uid")
        found |= {f"{kind} {row}" for row in rows if int(row.split()[owner]) in users}
    for folder in map(Path, ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")):
        for entry in folder.iterdir() if folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):
                if entry.lstat().st_uid in users:
                    found.add(str(entry))
    return found


@pytest.fixture(scope="session")
def traces() -> Callable[[], set[str]]:
    return left_by_workers


@pytest.fixture(scope="session")
def attempt() -> str:
    """Source text that hostile hooks begin with."""
    return ATTEMPT


@pytest.fixture(scope="session")
def is_root() -> bool:
    return os.getuid() == 0


@pytest.fixture
def private_house() -> Iterator[House]:
    """A runner started by a server that makes its files for itself alone."""
    before = os.umask(0o077)
    made = House()
    try:
        made.do(made.runner.start())
        yield made
    finally:
        os.umask(before)
        made.close()
