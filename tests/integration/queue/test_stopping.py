"""A consumer that stops or is slow neither loses a delivery nor shares one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from app.application.views import Delivery
from app.queue.consumer import Consumer
from app.queue.records import Depth
from app.queue.sqlite import SqliteQueue

Make = Callable[..., Delivery]
Open = Callable[[], SqliteQueue]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
EMPTY = Depth(0, 0, 0)


def test_stopping_lets_running_deliveries_finish(
    queue: SqliteQueue, delivery: Make, clock: Any, until: Until
) -> None:
    started, finish = asyncio.Event(), asyncio.Event()

    async def deliver(_: Delivery) -> bool:
        started.set()
        await finish.wait()
        return True

    async def scenario() -> None:
        await queue.enqueue(delivery())
        task = asyncio.get_running_loop().create_task(
            Consumer(queue, deliver, clock, grace=10).run()
        )
        await started.wait()
        task.cancel()
        await asyncio.sleep(0)
        await queue.enqueue(delivery("later"))
        finish.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert queue.depth() == Depth(1, 0, 0)


def test_stopping_gives_back_what_does_not_finish_in_time(
    queue: SqliteQueue, delivery: Make, clock: Any, consuming: Any
) -> None:
    started = asyncio.Event()
    cancelled: list[str] = []

    async def deliver(each: Delivery) -> bool:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(each.invocation_id)
            raise
        return True

    async def scenario() -> None:
        await queue.enqueue(delivery())
        async with consuming(queue, deliver, clock, grace=0.01):
            await started.wait()
        taken = await queue.take("next", 1, timedelta(seconds=1))
        assert [(lease.invocation_id, lease.attempts) for lease in taken.leases] == [("i1", 0)]

    asyncio.run(scenario())
    assert cancelled == ["i1"]


def test_it_stops_in_a_cancelled_scope_too(queue: SqliteQueue, delivery: Make, clock: Any) -> None:
    started = anyio.Event()

    async def deliver(_: Delivery) -> bool:
        started.set()
        await anyio.sleep_forever()
        return True

    async def scenario() -> None:
        await queue.enqueue(delivery())
        async with anyio.create_task_group() as group:
            group.start_soon(Consumer(queue, deliver, clock, grace=0.01).run)
            await started.wait()
            group.cancel_scope.cancel()
        assert queue.depth() == Depth(1, 0, 0)

    asyncio.run(scenario())


def test_a_long_run_keeps_its_lease(
    queue: SqliteQueue, open_queue: Open, delivery: Make, clock: Any, consuming: Any
) -> None:
    runs: list[str] = []

    async def deliver(each: Delivery) -> bool:
        runs.append(each.invocation_id)
        await asyncio.sleep(1.8)
        return True

    async def scenario() -> None:
        await queue.enqueue(delivery())
        options = {"lease": 0.8, "poll": 0.01, "grace": 2}
        async with (
            consuming(queue, deliver, clock, **options),
            consuming(open_queue(), deliver, clock, **options),
        ):
            deadline = time.monotonic() + 10
            while queue.depth() != EMPTY:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)

    asyncio.run(scenario())
    assert runs == ["i1"]


def test_a_run_whose_lease_was_lost_is_stopped(
    queue: SqliteQueue, delivery: Make, clock: Any, until: Until, consuming: Any
) -> None:
    cancelled = asyncio.Event()

    async def deliver(_: Delivery) -> bool:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return True

    async def scenario() -> None:
        await queue.enqueue(delivery())
        async with consuming(queue, deliver, clock, lease=1.5, poll=3600):
            await until(lambda: queue.depth().running == 1)
            taken = 0
            while not taken:  # the lease may be prolonged in between, so try until it was not
                clock.advance(timedelta(seconds=2))
                taken = len((await queue.take("another", 1, timedelta(seconds=3600))).leases)
            await asyncio.wait_for(cancelled.wait(), 10)

    asyncio.run(scenario())
    assert queue.depth() == Depth(0, 1, 0)
