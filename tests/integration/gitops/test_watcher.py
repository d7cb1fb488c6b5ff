"""A moved branch is noticed at once, retried wisely, and never twice at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import Rejected, Stalled, Transient
from app.domain.revisions import CommitSha
from app.gitops import watcher as watcher_module
from app.gitops.source import LocalRepository
from app.gitops.watcher import Watcher

if TYPE_CHECKING:
    from tests.integration.gitops.conftest import GitRepository

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Recorder:
    """Stands for the use case: writes down each call, and fails as it is told to."""

    def __init__(self, ours: LocalRepository) -> None:
        self.ours = ours
        self.seen: list[CommitSha] = []
        self.at: list[float] = []
        self.failures: list[Exception] = []
        self.gate: asyncio.Event | None = None
        self.running = 0

    async def __call__(self) -> None:
        assert self.running == 0, "a second run was started before the first had ended"
        self.running += 1
        try:
            self.at.append(time.perf_counter())
            self.seen.append(self.ours.tip())
            if self.gate is not None:
                await self.gate.wait()
            if self.failures:
                raise self.failures.pop(0)
        finally:
            self.running -= 1


@pytest.fixture
def recorder(theirs: GitRepository, ours: LocalRepository) -> Recorder:
    theirs.commit_hook()
    return Recorder(ours)


def watch(recorder: Recorder, *, heartbeat: float = 5.0) -> Watcher:
    return Watcher(
        tip=recorder.ours.tip,
        reconcile=recorder,
        refs=recorder.ours.refs,
        clock=lambda: NOW,
        heartbeat=heartbeat,
        jitter=lambda: 0.0,
    )


@contextlib.asynccontextmanager
async def running(watcher: Watcher) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(watcher.run())
        yield
        assert not task.done(), "the watcher ended by itself"
        task.cancel()


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        # Polled, as the conditions are facts of the outside world that tell nobody of themselves.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def commit(theirs: GitRepository, content: str) -> str:
    return await asyncio.to_thread(theirs.commit, {"x": content})


def scenario(run: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await run()

    asyncio.run(main())


def test_the_tip_is_reconciled_at_the_start_and_at_each_commit(
    theirs: GitRepository, recorder: Recorder
) -> None:
    async def run() -> None:
        watcher = watch(recorder)
        async with running(watcher):
            await until(lambda: len(recorder.seen) == 1)
            for number in range(3):
                await commit(theirs, str(number))
                await until(lambda: recorder.seen[-1] == recorder.ours.tip())
        assert len(recorder.seen) == 4
        assert watcher.status.last_success == NOW
        assert watcher.status.last_error is None
        assert watcher.status.missed == 0

    scenario(run)


def test_a_moved_ref_is_noticed_within_milliseconds(
    theirs: GitRepository, recorder: Recorder
) -> None:
    commits = [theirs.commit({"x": str(number)}) for number in range(15)]
    ref = theirs.git_dir / "refs/heads/main"

    async def run() -> None:
        watcher = watch(recorder)
        async with running(watcher):
            await until(lambda: len(recorder.seen) == 1)
            delays = []
            for sha in commits[:-1]:
                # As when a person commits: the watcher has come to rest.
                await asyncio.sleep(0.02)
                (ref.parent / "main.lock").write_text(f"{sha}\n")
                moved = time.perf_counter()
                (ref.parent / "main.lock").rename(ref)
                await until(lambda: recorder.seen[-1] == recorder.ours.tip())
                delays.append(recorder.at[-1] - moved)
            # 5 to 10 ms on an idle machine; the bar allows for a busy one.
            assert median(delays) < 0.05, delays

    scenario(run)


def test_nothing_happens_while_the_tip_stays(theirs: GitRepository, recorder: Recorder) -> None:
    async def run() -> None:
        watcher = watch(recorder, heartbeat=0.02)
        async with running(watcher):
            await until(lambda: watcher.status.heartbeats > 5)
            await asyncio.to_thread(theirs.git, "branch", "other")
            await asyncio.to_thread(theirs.git, "pack-refs", "--all")
            beats = watcher.status.heartbeats
            await until(lambda: watcher.status.heartbeats > beats + 3)
        assert len(recorder.seen) == 1

    scenario(run)


def test_a_branch_that_exists_only_packed_is_followed(
    theirs: GitRepository, recorder: Recorder
) -> None:
    theirs.git("pack-refs", "--all", "--prune")

    async def run() -> None:
        async with running(watch(recorder)):
            await until(lambda: len(recorder.seen) == 1)
            newest = await commit(theirs, "1")
            await until(lambda: recorder.seen[-1] == newest)

    scenario(run)


def test_a_hint_reconciles_though_the_tip_stayed(theirs: GitRepository, recorder: Recorder) -> None:
    async def run() -> None:
        watcher = watch(recorder)
        async with running(watcher):
            await until(lambda: len(recorder.seen) == 1)
            watcher.hint()
            await until(lambda: len(recorder.seen) == 2)

    scenario(run)


def test_hints_during_a_run_are_answered_by_one_more_run(
    theirs: GitRepository, recorder: Recorder
) -> None:
    async def run() -> None:
        recorder.gate = asyncio.Event()
        watcher = watch(recorder)
        async with running(watcher):
            await until(lambda: len(recorder.seen) == 1)
            for _ in range(5):
                watcher.hint()
            recorder.gate.set()
            await until(lambda: len(recorder.seen) == 2)
            newest = await commit(theirs, "1")
            await until(lambda: recorder.seen[-1] == newest)
        assert len(recorder.seen) == 3

    scenario(run)


def test_a_commit_during_a_run_is_not_lost(theirs: GitRepository, recorder: Recorder) -> None:
    async def run() -> None:
        recorder.gate = asyncio.Event()
        async with running(watch(recorder)):
            await until(lambda: len(recorder.seen) == 1)
            newest = await commit(theirs, "1")
            recorder.gate.set()
            await until(lambda: recorder.seen[-1] == newest)

    scenario(run)


def test_what_may_pass_is_tried_again_until_it_does(
    theirs: GitRepository, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "_FIRST_RETRY", 0.02)

    async def run() -> None:
        recorder.failures = [
            Transient("busy", retry_after=0),
            ValueError("a bug"),
            Transient(retry_after=0),
        ]
        watcher = watch(recorder, heartbeat=60)
        async with running(watcher):
            await until(lambda: len(recorder.seen) == 4)
            await until(lambda: watcher.status.last_error is None)
            assert watcher.status.failures == 3
            gaps = [
                later - sooner for sooner, later in zip(recorder.at, recorder.at[1:], strict=False)
            ]
            assert gaps[0] >= 0.01
            assert gaps[1] >= 0.02
            assert gaps[2] >= 0.04
            assert set(recorder.seen) == {recorder.ours.tip()}

    scenario(run)


def test_a_new_tip_does_not_wait_for_a_retry(theirs: GitRepository, recorder: Recorder) -> None:
    async def run() -> None:
        recorder.failures = [Transient("busy", retry_after=600)]
        watcher = watch(recorder)
        async with running(watcher):
            await until(lambda: watcher.status.last_error == "busy")
            newest = await commit(theirs, "1")
            await until(lambda: recorder.seen[-1] == newest and watcher.status.last_error is None)

    scenario(run)


@pytest.mark.parametrize("error", [Rejected("bad"), Stalled("stuck")])
def test_what_needs_a_person_waits_for_a_new_tip(
    theirs: GitRepository, recorder: Recorder, error: Exception
) -> None:
    async def run() -> None:
        recorder.failures = [error]
        watcher = watch(recorder, heartbeat=0.01)
        async with running(watcher):
            await until(lambda: watcher.status.last_error == str(error))
            beats = watcher.status.heartbeats
            await until(lambda: watcher.status.heartbeats > beats + 10)
            assert len(recorder.seen) == 1
            newest = await commit(theirs, "1")
            await until(lambda: recorder.seen[-1] == newest and watcher.status.last_error is None)

    scenario(run)


def test_what_stalled_is_tried_again_after_minutes(
    theirs: GitRepository, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "_STALLED_RETRY", 0.05)

    async def run() -> None:
        recorder.failures = [Stalled("object lost")]
        async with running(watch(recorder, heartbeat=0.01)):
            await until(lambda: len(recorder.seen) == 2)

    scenario(run)


def test_a_deleted_branch_is_reported_and_followed_when_it_is_back(
    theirs: GitRepository, recorder: Recorder
) -> None:
    async def run() -> None:
        watcher = watch(recorder)
        async with running(watcher):
            await until(lambda: len(recorder.seen) == 1)
            await asyncio.to_thread(theirs.git, "branch", "-m", "main", "away")
            await until(lambda: "no branch `main`" in (watcher.status.last_error or ""))
            await asyncio.to_thread(theirs.git, "branch", "-m", "away", "main")
            await until(lambda: watcher.status.last_error is None)
            newest = await commit(theirs, "1")
            await until(lambda: recorder.seen[-1] == newest)
        assert len(recorder.seen) == 2

    scenario(run)


def test_a_swapped_repository_is_watched_again(
    theirs: GitRepository, recorder: Recorder, tmp_path: Path
) -> None:
    async def run() -> None:
        watcher = watch(recorder, heartbeat=0.05)
        async with running(watcher):
            await until(lambda: len(recorder.seen) == 1)
            old, new = tmp_path / "old", tmp_path / "new"
            theirs.git("clone", "--quiet", str(theirs.location), str(new))
            theirs.location.rename(old)
            await until(lambda: "does not exist" in (watcher.status.last_error or ""))
            new.rename(theirs.location)
            await until(lambda: watcher.status.rearmed > 0 and watcher.status.last_error is None)
            changes = watcher.status.changes
            newest = await commit(theirs, "1")
            await until(lambda: recorder.seen[-1] == newest)
            await until(lambda: watcher.status.changes > changes)

    scenario(run)


def test_a_blind_file_watcher_costs_a_heartbeat(
    theirs: GitRepository, recorder: Recorder, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    async def run() -> None:
        watcher = Watcher(
            tip=recorder.ours.tip,
            reconcile=recorder,
            refs=elsewhere,
            clock=lambda: NOW,
            heartbeat=0.02,
        )
        async with running(watcher):
            await until(lambda: len(recorder.seen) == 1)
            newest = await commit(theirs, "1")
            await until(lambda: recorder.seen[-1] == newest)
        assert watcher.status.missed == 1

    scenario(run)


def test_cancelling_leaves_neither_threads_nor_processes(
    theirs: GitRepository, recorder: Recorder
) -> None:
    async def run() -> None:
        recorder.gate = asyncio.Event()
        async with running(watch(recorder)):
            await until(lambda: len(recorder.seen) == 1)

    before = set(threading.enumerate())
    begun = time.monotonic()
    scenario(run)
    assert time.monotonic() - begun < 3
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=3)
        assert not thread.is_alive()
    listed = subprocess.run(
        ["ps", "-o", "comm=", "--ppid", str(os.getpid())], capture_output=True, text=True
    )
    assert "git" not in listed.stdout.split()


class Remote:
    """Stands for a branch over the network: counts looks, and fails as it is told to."""

    def __init__(self) -> None:
        self.sha = CommitSha("1" * 40)
        self.looks = 0
        self.failures: list[Exception] = []
        self.gate: threading.Event | None = None
        self.runs: list[CommitSha] = []

    def tip(self) -> CommitSha:
        self.looks += 1
        if self.gate is not None:
            self.gate.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        return self.sha

    async def reconcile(self) -> None:
        self.runs.append(self.sha)

    def watch(self, heartbeat: float) -> Watcher:
        return Watcher(
            tip=self.tip,
            reconcile=self.reconcile,
            refs=None,
            clock=lambda: NOW,
            heartbeat=heartbeat,
            jitter=lambda: 1.0,
        )


def test_a_remote_branch_is_polled() -> None:
    async def run() -> None:
        remote = Remote()
        watcher = remote.watch(0.02)
        async with running(watcher):
            await until(lambda: remote.looks > 3)
            assert len(remote.runs) == 1
            remote.sha = CommitSha("2" * 40)
            await until(lambda: len(remote.runs) == 2)
        assert watcher.status.missed == 0

    scenario(run)


def test_a_failing_remote_is_asked_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "_FIRST_LOOK_AGAIN", 0.05)

    async def run() -> None:
        remote = Remote()
        remote.failures = [Transient("down")] * 3
        watcher = remote.watch(0.001)
        begun = time.perf_counter()
        async with running(watcher):
            await until(lambda: watcher.status.last_error == "down")
            await until(lambda: len(remote.runs) == 1)
        assert time.perf_counter() - begun >= 0.05 + 0.1 + 0.2
        assert remote.looks < 20 < watcher.status.heartbeats
        assert watcher.status.last_error is None

    scenario(run)


def test_refused_credentials_are_tried_again_after_minutes_but_at_once_when_asked() -> None:
    async def run() -> None:
        remote = Remote()
        remote.failures = [Stalled("no entry"), Stalled("no entry")]
        watcher = remote.watch(0.001)
        async with running(watcher):
            await until(lambda: watcher.status.heartbeats > 20)
            assert remote.looks == 1
            watcher.hint()
            await until(lambda: remote.looks == 2)
            watcher.hint()
            await until(lambda: len(remote.runs) == 1)

    scenario(run)


def test_a_hint_during_a_look_is_answered_by_another_look() -> None:
    async def run() -> None:
        remote = Remote()
        remote.gate = threading.Event()
        watcher = remote.watch(60)
        async with running(watcher):
            await until(lambda: remote.looks == 1)
            watcher.hint()
            remote.gate.set()
            await until(lambda: remote.looks == 2 and len(remote.runs) == 1)

    scenario(run)


def test_a_look_that_hangs_does_not_keep_the_watcher_from_ending() -> None:
    async def run() -> None:
        remote = Remote()
        remote.gate = threading.Event()
        async with running(remote.watch(60)):
            await until(lambda: remote.looks == 1)
        remote.gate.set()

    begun = time.monotonic()
    scenario(run)
    assert time.monotonic() - begun < 5
