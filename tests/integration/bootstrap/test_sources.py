"""Several repositories side by side: each owns its hooks, and none holds up another."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.application.syncing.results import SyncStatus
from app.application.syncing.status import SyncState
from app.bootstrap.diagnosis import diagnose
from app.bootstrap.engine import Engine, open_engine
from app.bootstrap.readiness import source_checks
from app.bootstrap.storage import open_storage
from app.domain.aggregates import Meta
from app.domain.errors import NotFound, Rejected, Stalled
from config.settings import load_settings

SCRIPTS = {
    "pre-user-registration": "def hook(user, context):\n    return {}\n",
    "send-phone-message": "def hook(recipient, text, context):\n    return {}\n",
}


class Repository:
    def __init__(self, location: Path) -> None:
        self.location = location
        location.mkdir()
        self.git("init", "--quiet", "--initial-branch=main", "--template=")

    def git(self, *arguments: str) -> str:
        said = {"HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
        for who in ("AUTHOR", "COMMITTER"):
            said |= {f"GIT_{who}_NAME": "Ada", f"GIT_{who}_EMAIL": "ada@example.com"}
        done = subprocess.run(
            ["git", *arguments], cwd=self.location, env=said, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def commit_hook(
        self, name: str, trigger: str = "pre-user-registration", *, enabled: bool = False
    ) -> str:
        folder = self.location / "hooks" / trigger / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hook.toml").write_text(f"enabled = {str(enabled).lower()}\n")
        (folder / "hook.py").write_text(SCRIPTS[trigger])
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", name)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def one(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "one")
    repository.commit_hook("first")
    return repository


@pytest.fixture
def two(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "two")
    repository.commit_hook("second", "send-phone-message", enabled=True)
    return repository


Open = Callable[..., Any]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    @asynccontextmanager
    async def open_them(**sources: Any) -> AsyncIterator[Engine]:
        settings = load_settings(
            data_dir=tmp_path / "var",
            isolation="best-effort",
            sources={
                source: {"repo": str(given.location)} if isinstance(given, Repository) else given
                for source, given in sources.items()
            },
        )
        with open_storage(settings) as storage:
            async with open_engine(storage) as engine:
                yield engine

    return open_them


async def shown(engine: Engine) -> dict[str, SyncState]:
    storage = engine.storage
    await storage.hooks.wait_for(storage.ledger.head(), 10)
    return {status.id: status.state for status in engine.sources.statuses()}


def owners(engine: Engine) -> dict[str, str]:
    return {hook.name: hook.owner for hook in engine.storage.hooks.table.hooks.values()}


def state(engine: Engine, source: str) -> SyncState:
    return engine.sources.one(source).status().state


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.01)


async def sync_all(engine: Engine) -> None:
    for each in engine.sources.all:
        await each.sync()


def test_each_source_brings_and_owns_its_hooks(
    one: Repository, two: Repository, opened: Open
) -> None:
    async def run() -> None:
        async with opened(a=one, b=two) as engine:
            await sync_all(engine)
            assert await shown(engine) == {"a": SyncState.SYNCED, "b": SyncState.SYNCED}
            assert owners(engine) == {"first": "source:a", "second": "source:b"}
            commit = two.commit_hook("third")
            result = await engine.sources.one("b").sync()
            assert (result.status, result.commit) == (SyncStatus.APPLIED, commit)
            await shown(engine)
            assert owners(engine)["third"] == "source:b"
            told = {check.name: check.detail for check in source_checks(engine)}
            assert told["source:b"] == f"commit {commit[:12]} is in force"

    asyncio.run(run())


def test_commits_to_several_sources_are_followed_at_the_same_time(
    one: Repository, two: Repository, opened: Open
) -> None:
    async def run() -> None:
        async with opened(a=one, b=two) as engine:
            following = asyncio.ensure_future(engine.sources.follow())
            one.commit_hook("of-one")
            two.commit_hook("of-two")
            await until(lambda: {"of-one", "of-two"} <= owners(engine).keys())
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    asyncio.run(run())


def test_a_source_must_be_named_where_there_are_several(
    one: Repository, two: Repository, opened: Open
) -> None:
    async def run() -> None:
        async with opened(a=one, b=two) as engine:
            with pytest.raises(Rejected, match="name one of: a, b"):
                engine.sources.one(None)
            with pytest.raises(NotFound, match="No source `c` is followed; those that are: a, b"):
                engine.sources.one("c")
            preview = await engine.sources.one("a").preview(None)
            assert preview.plan.counts["create"] == 1
        async with opened(a=one) as engine:
            assert (await engine.sources.one(None).sync()).status is SyncStatus.APPLIED

    asyncio.run(run())


def test_a_name_that_another_source_owns_is_refused_and_both_are_named(
    one: Repository, two: Repository, opened: Open
) -> None:
    two.commit_hook("first", "send-phone-message")

    async def run() -> None:
        async with opened(a=one, b=two) as engine:
            await engine.sources.one("a").sync()
            with pytest.raises(Rejected, match="owned by `source:a`, so `source:b`"):
                await engine.sources.one("b").sync()
            assert await shown(engine) == {"a": SyncState.SYNCED, "b": SyncState.REJECTED}
            assert owners(engine) == {"first": "source:a"}

    asyncio.run(run())


def test_a_source_cannot_take_a_trigger_from_another(
    one: Repository, two: Repository, opened: Open
) -> None:
    one.commit_hook("rival", "send-phone-message", enabled=True)

    async def run() -> None:
        async with opened(a=one, b=two) as engine:
            await engine.sources.one("b").sync()
            with pytest.raises(Rejected, match="runs `second` of `source:b`, so `source:a`"):
                await engine.sources.one("a").sync()
            await shown(engine)
            (active,) = engine.storage.hooks.table.active_hooks("send-phone-message")
            assert active.name == "second"

    asyncio.run(run())


def test_two_sources_that_want_one_name_at_the_same_time_cannot_both_have_it(
    one: Repository, two: Repository, opened: Open
) -> None:
    two.commit_hook("first", "send-phone-message")

    async def run() -> None:
        async with opened(a=one, b=two) as engine:
            ended = await asyncio.gather(
                *(each.sync() for each in engine.sources.all), return_exceptions=True
            )
            assert sorted(isinstance(each, Rejected) for each in ended) == [False, True]
            states = await shown(engine)
            assert sorted(states.values()) == [SyncState.REJECTED, SyncState.SYNCED]
            assert owners(engine)["first"] in ("source:a", "source:b")

    asyncio.run(run())


def test_hooks_of_a_source_that_is_no_longer_configured_stay(
    one: Repository, two: Repository, opened: Open
) -> None:
    async def run() -> None:
        async with opened(a=one, b=two) as engine:
            await sync_all(engine)
        async with opened(a=one) as engine:
            await sync_all(engine)
            assert await shown(engine) == {"a": SyncState.SYNCED, "b": SyncState.UNMANAGED}
            assert owners(engine)["second"] == "source:b"
            reason = engine.sources.statuses()[1].reason
            assert "its 1 hook(s) stay" in reason

    asyncio.run(run())


def test_a_source_is_suspended_and_rolled_back_alone(
    one: Repository, two: Repository, opened: Open
) -> None:
    async def run() -> None:
        async with opened(a=one, b=two) as engine:
            await sync_all(engine)
            before = two.git("rev-parse", "HEAD")
            two.commit_hook("bad")
            a, b = engine.sources.all
            await b.sync()
            await a.suspend(None, Meta("cli:ada", "cli", reason="incident"))
            await b.roll_back(before, Meta("cli:ada", "cli", reason="it is bad"))
            assert await shown(engine) == {"a": SyncState.SUSPENDED, "b": SyncState.SYNCED}
            assert owners(engine) == {"first": "source:a", "second": "source:b"}
            assert (await a.sync()).status is SyncStatus.SUSPENDED
            assert (await b.sync()).status is SyncStatus.SKIPPED

    asyncio.run(run())


def test_a_remote_that_never_answers_holds_up_nobody(one: Repository, opened: Open) -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            hung = {
                "repo": f"http://127.0.0.1:{deaf.getsockname()[1]}/x.git",
                "branch": "main",
                "remote": {"protocols": ["http"], "fetch_seconds": 60},
            }
            many = {f"hung-{number}": hung for number in range(12)}
            async with opened(**many, a=one) as engine:
                following = asyncio.ensure_future(engine.sources.follow())
                sources = engine.sources.all
                asked = [asyncio.ensure_future(each.sync()) for each in sources]
                asked += [
                    asyncio.ensure_future(each.preview("main"))
                    for each in sources[:12]
                    for _ in range(5)
                ]
                await until(lambda: state(engine, "a") is SyncState.SYNCED)
                one.commit_hook("later")
                await until(lambda: "later" in owners(engine))
                assert sum(not each.done() for each in asked) >= 60
                for task in (following, *asked):
                    task.cancel()
                for each in sources[:12]:
                    each.repository.interrupt()
                await asyncio.gather(following, *asked, return_exceptions=True)

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_remote_source_is_synced_and_its_failures_are_told(
    one: Repository, opened: Open, tmp_path: Path
) -> None:
    async def run() -> None:
        remote = {
            "repo": one.location.as_uri(),
            "branch": "main",
            "remote": {"protocols": ["file"]},
        }
        async with opened(a=remote) as engine:
            source = engine.sources.one("a")
            assert (await source.sync()).status is SyncStatus.APPLIED
            one.commit_hook("later")
            assert (await source.preview(None)).plan.counts["create"] == 1
            one.location.rename(tmp_path / "away")
            with pytest.raises(Stalled, match="no such repository"):
                await source.sync()

    asyncio.run(run())


def test_a_source_that_is_away_is_told_of_and_followed_once_it_is_there(
    one: Repository, two: Repository, opened: Open, tmp_path: Path
) -> None:
    away, table = tmp_path / "away", {"repo": str(two.location), "branch": "main"}
    two.location.rename(away)

    async def run() -> None:
        async with opened(a=one, b=table) as engine:
            await engine.sources.one("a").sync()
            with pytest.raises(Stalled):
                await engine.sources.one("b").sync()
            following = asyncio.ensure_future(engine.sources.follow())
            await until(lambda: state(engine, "b") is SyncState.OUT_OF_SYNC)
            away.rename(two.location)
            engine.sources.one("b").watcher.hint()
            await until(lambda: "second" in owners(engine))
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"repo": "https://git.example.com/x.git"}, "name it, by `branch`"),
        ({"repo": "https://me:secret@git.example.com/x", "branch": "main"}, "token_file"),
        ({"repo": "http://git.example.com/x", "branch": "main"}, "nobody vouches"),
        ({"repo": "/nonexistent/repository"}, "no repository at"),
    ],
)
def test_a_source_that_cannot_be_followed_keeps_the_server_from_starting_and_is_named(
    one: Repository, opened: Open, table: dict[str, str], why: str
) -> None:
    async def run() -> None:
        async with opened(a=one, b=table):
            raise AssertionError("it was opened")

    with pytest.raises((Stalled, Rejected), match=f"(?s)Source `b`: .*{why}") as refusal:
        asyncio.run(run())
    assert "secret" not in str(refusal.value)


def test_the_doctor_looks_at_every_repository(one: Repository, tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path / "var",
        sources={"a": {"repo": str(one.location)}, "b": {"repo": "/nonexistent"}},
    )
    found = {check.name: check.ok for check in diagnose(settings).checks}
    assert (found["repository a"], found["repository b"]) == (True, False)
