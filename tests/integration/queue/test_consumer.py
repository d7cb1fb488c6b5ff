"""Deliveries are run at once and in order, retried, and buried."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.application.views import Delivery
from app.domain.errors import Rejected
from app.queue.records import Depth
from app.queue.sqlite import SqliteQueue

Make = Callable[..., Delivery]
Open = Callable[[], SqliteQueue]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
EMPTY = Depth(0, 0, 0)


def test_a_delivery_is_run_once_and_removed(
    queue: SqliteQueue, delivery: Make, clock: Any, until: Until, consuming: Any, recorder: Any
) -> None:
    deliver = recorder()

    async def scenario() -> None:
        await queue.enqueue(delivery())
        async with consuming(queue, deliver, clock):
            await until(lambda: queue.depth() == EMPTY)

    asyncio.run(scenario())
    assert deliver.seen == [delivery()]


def test_an_enqueued_delivery_is_run_at_once_without_polling(
    queue: SqliteQueue, delivery: Make, clock: Any, until: Until, consuming: Any, recorder: Any
) -> None:
    deliver = recorder()

    async def scenario() -> None:
        async with consuming(queue, deliver, clock, poll=3600):
            for number in range(20):
                await queue.enqueue(delivery(f"i{number}"))
                await until(lambda expected=number + 1: len(deliver.seen) == expected)  # type: ignore[misc]

    asyncio.run(scenario())


def test_what_another_process_enqueued_is_found_by_polling(
    queue: SqliteQueue,
    open_queue: Open,
    delivery: Make,
    clock: Any,
    until: Until,
    consuming: Any,
    recorder: Any,
) -> None:
    deliver, elsewhere = recorder(), open_queue()

    async def scenario() -> None:
        async with consuming(queue, deliver, clock, poll=0.02):
            await elsewhere.enqueue(delivery())
            await until(lambda: deliver.ids == ["i1"])

    asyncio.run(scenario())


def test_deliveries_run_in_order_and_no_more_at_once_than_allowed(
    queue: SqliteQueue, delivery: Make, clock: Any, until: Until, consuming: Any
) -> None:
    names = [f"i{number}" for number in range(40)]
    started: list[str] = []
    running = most = 0

    async def deliver(each: Delivery) -> bool:
        nonlocal running, most
        started.append(each.invocation_id)
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return True

    async def scenario() -> None:
        for name in names:
            await queue.enqueue(delivery(name))
        async with consuming(queue, deliver, clock, concurrency=3, poll=3600):
            await until(lambda: queue.depth() == EMPTY)

    asyncio.run(scenario())
    assert started == names
    assert most == 3


def test_a_failed_delivery_is_tried_again_with_the_same_id_until_it_is_done(
    queue: SqliteQueue, delivery: Make, clock: Any, until: Until, consuming: Any, recorder: Any
) -> None:
    deliver = recorder(False, Rejected("no"), ZeroDivisionError("x"), True)

    async def scenario() -> None:
        await queue.enqueue(delivery())
        async with consuming(queue, deliver, clock, schedule=dict.fromkeys(range(1, 9), 0.01)):
            await until(lambda: queue.depth() == EMPTY)

    asyncio.run(scenario())
    assert deliver.ids == ["i1"] * 4
    assert [each.attempts for each in deliver.seen] == [0, 1, 2, 3]
    assert {each.payload for each in deliver.seen} == {delivery().payload}


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 80), (0.5, 100), (1.0, 120)])
def test_waiting_follows_the_schedule_give_or_take_a_fifth(
    queue: SqliteQueue,
    delivery: Make,
    clock: Any,
    until: Until,
    chance: float,
    seconds: int,
    consuming: Any,
    recorder: Any,
) -> None:
    deliver = recorder(False)

    async def scenario() -> None:
        await queue.enqueue(delivery())
        options = {"schedule": {1: 100}, "chance": lambda: chance, "poll": 0.01}
        async with consuming(queue, deliver, clock, **options):
            await until(lambda: queue.depth() == Depth(1, 0, 0) and len(deliver.seen) == 1)
            clock.advance(timedelta(seconds=seconds - 5))
            await queue.enqueue(delivery("other"))
            await until(lambda: "other" in deliver.ids)
            assert deliver.ids.count("i1") == 1
            clock.advance(timedelta(seconds=5))
            await until(lambda: deliver.ids.count("i1") == 2)

    asyncio.run(scenario())


def test_a_delivery_that_keeps_failing_becomes_a_dead_letter_with_its_last_error(
    queue: SqliteQueue, delivery: Make, clock: Any, until: Until, consuming: Any, recorder: Any
) -> None:
    deliver = recorder(False, Rejected("first"), Rejected("the last reason"))

    async def scenario() -> None:
        await queue.enqueue(delivery())
        async with consuming(queue, deliver, clock, schedule={1: 0.01, 2: 0.01}):
            await until(lambda: queue.depth() == Depth(0, 0, 1))
            (dead,) = queue.dead_letters(None, 10).items
            assert (dead.invocation_id, dead.attempts, dead.error) == ("i1", 3, "the last reason")
            queue.redrive("i1")
            await until(lambda: queue.depth() == EMPTY)

    asyncio.run(scenario())
    assert deliver.ids == ["i1"] * 4


def test_an_unexpected_error_is_named_but_its_text_is_not_kept(
    queue: SqliteQueue, delivery: Make, clock: Any, until: Until, consuming: Any, recorder: Any
) -> None:
    async def scenario() -> None:
        await queue.enqueue(delivery())
        async with consuming(queue, recorder(KeyError("private")), clock, schedule={}):
            await until(lambda: queue.depth().dead == 1)

    asyncio.run(scenario())
    (dead,) = queue.dead_letters(None, 10).items
    assert "KeyError" in dead.error
    assert "private" not in dead.error


def test_a_delivery_that_cannot_be_decrypted_is_kept_as_a_dead_letter(
    queue: SqliteQueue, delivery: Make, clock: Any, until: Until, consuming: Any, recorder: Any
) -> None:
    deliver = recorder()

    async def scenario() -> None:
        await queue.enqueue(delivery())
        await queue._change(
            lambda connection: connection.execute("UPDATE deliveries SET sealed = x'00'").rowcount
        )
        async with consuming(queue, deliver, clock, schedule={1: 0.01}):
            await until(lambda: queue.depth().dead == 1)

    asyncio.run(scenario())
    assert deliver.seen == []
    assert "altered" in queue.dead_letters(None, 10).items[0].error


def test_a_delivery_whose_server_died_each_time_is_buried_not_tried_for_ever(
    queue: SqliteQueue, delivery: Make, clock: Any, until: Until, consuming: Any, recorder: Any
) -> None:
    deliver = recorder()

    async def scenario() -> None:
        await queue.enqueue(delivery())
        for _ in range(2):
            await queue.take("a server that dies", 1, timedelta(seconds=1))
            clock.advance(timedelta(seconds=1))
        async with consuming(queue, deliver, clock, schedule={1: 0}):
            await until(lambda: queue.depth().dead == 1)

    asyncio.run(scenario())
    assert deliver.seen == []
    assert "stopped during attempt 2" in queue.dead_letters(None, 10).items[0].error


def test_a_queue_in_trouble_is_tried_again(
    queue: SqliteQueue,
    delivery: Make,
    clock: Any,
    until: Until,
    path: Path,
    caplog: pytest.LogCaptureFixture,
    consuming: Any,
    recorder: Any,
) -> None:
    deliver = recorder()
    queue._committer._connection.execute("PRAGMA busy_timeout = 10")

    async def scenario() -> None:
        await queue.enqueue(delivery())
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        async with consuming(queue, deliver, clock, poll=0.02):
            await until(lambda: any("could be taken" in message for message in caplog.messages))
            blocker.execute("ROLLBACK")
            blocker.close()
            await until(lambda: queue.depth() == EMPTY)

    asyncio.run(scenario())
    assert deliver.ids == ["i1"]
