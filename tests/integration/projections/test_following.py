"""The whole read side at work: a commit is in memory at once, and soon in every stored view."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.application.views import AuditQuery
from app.domain.hooks.hook import Hook
from app.domain.revisions import Position
from app.eventstore.sqlite import CommitWatch
from projections.follower import Follower
from projections.hook_table.live import LiveHookTable

HOUR = 3600.0
"""A poll that never comes: what happens was caused by a wake-up."""


class ReadSide(NamedTuple):
    live: LiveHookTable
    hooks: Follower
    audit: Follower


@pytest.fixture
def following(world: Any) -> Iterator[ReadSide]:
    """Everything that follows the log of ``world``, woken by its ledger."""
    live = LiveHookTable(world.log, world.hooks.load_table, poll=HOUR)
    hooks, audit = (
        Follower(view.name, world.log, start=view.position, apply=view.apply, poll=HOUR)
        for view in (world.hooks, world.audit)
    )
    with ExitStack() as stack:
        for follower in (live, hooks, audit):
            follower.start()
            stack.callback(follower.stop)
            world.ledger.add_waker(follower.wake)
        yield ReadSide(live, hooks, audit)


def test_a_commit_is_in_memory_within_milliseconds(world: Any, following: ReadSide) -> None:
    with world.by("alice"):
        hook = world.create_hook(1)

    async def scenario() -> list[float]:
        delays = []
        for number in range(30):
            with world.by("alice"):
                hook.change_script("python", f"# {number}", f"{number}")
                position = world.record(hook)
            started = time.perf_counter()
            assert await following.live.wait_for(position, 10)
            delays.append(time.perf_counter() - started)
            assert following.live.table.hooks[hook.public_id].script == f"# {number}"
        return delays

    # 0.5 ms on an idle machine; a poll of any kind would be far above.
    assert statistics.median(asyncio.run(scenario())) < 0.01


def test_every_view_gets_everything_under_load(world: Any, following: ReadSide) -> None:
    def work(number: int) -> None:
        with world.by(f"actor-{number}"):
            hook = world.create_hook(number)
            for step in range(30):
                hook.move(f"{step}")
                world.record(hook)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    head = world.ledger.head()

    assert head == 4 * 32
    for follower in following:
        assert follower.wait(head, 20)
    assert following.live.table == world.hooks.load_table()
    page = world.audit.query(AuditQuery(), cursor=None, limit=1000)
    assert [row.position for row in page.items] == list(range(head, 0, -1))


COMMITTER = """
    import sys
    from app.application.ledger import Ledger
    from app.domain.aggregates import Meta, recorded_as
    from app.domain.triggers.trigger import Trigger
    from app.eventstore.sqlite import sqlite_environment

    with Ledger(sqlite_environment(sys.argv[1])) as ledger:
        with recorded_as(Meta(actor="other", origin="cli")):
            ledger.record(Trigger(trigger="from-elsewhere"))
"""


def test_a_commit_of_another_process_wakes_this_one(world: Any, following: ReadSide) -> None:
    def wake() -> None:
        for follower in following:
            follower.wake()

    with CommitWatch(world.path, wake):
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(COMMITTER), str(world.path)],
            cwd=Path(__file__).parents[3],
            check=True,
            timeout=30,
        )

        assert following.live.wait(Position(1), 10)
        assert following.audit.wait(Position(1), 10)
    assert "from-elsewhere" in following.live.table.triggers


def test_a_server_starts_again_from_the_stored_table(world: Any, following: ReadSide) -> None:
    with world.by("alice"):
        for number in range(5):
            world.create_hook(number)
    head = world.ledger.head()
    assert following.hooks.wait(head, 10)
    with world.by("alice"):
        hook = world.ledger.find(Hook, f"hook:{next(iter(world.hooks.load_table().hooks))}")
        hook.rename("newer")
        world.record(hook)

    again = LiveHookTable(world.log, world.hooks.load_table, poll=HOUR)
    again.start()
    again.stop()

    assert again.table.find_hook("newer") is not None
    assert len(again.table.hooks) == 5


def test_everything_stops_and_leaves_no_thread(world: Any, following: ReadSide) -> None:
    for follower in following:
        follower.stop()

    assert not [t for t in threading.enumerate() if t.name.startswith("follow-")]
    assert not following.live.wait(Position(1), HOUR)
