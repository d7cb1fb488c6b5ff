"""Waiting for a position: threads and event loops are woken when it is reached."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from app.domain.revisions import Position
from projections.reached import Reached, _Waiter


def in_a_thread(work: object) -> threading.Thread:
    assert callable(work)
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_what_is_reached_needs_no_waiting() -> None:
    reached = Reached()
    reached.advance(Position(5))

    assert reached.wait(Position(5), 0)
    assert asyncio.run(reached.wait_for(Position(3), 0))


def test_what_is_not_reached_in_time_is_false() -> None:
    reached = Reached()
    reached.advance(Position(5))

    assert not reached.wait(Position(6), 0.01)
    assert not asyncio.run(reached.wait_for(Position(6), 0.01))


def test_a_position_never_goes_back() -> None:
    reached = Reached()
    reached.advance(Position(5))
    reached.advance(Position(2))

    assert reached.position == 5


def test_a_waiting_thread_is_woken() -> None:
    reached = Reached()
    answers: list[bool] = []
    thread = in_a_thread(lambda: answers.append(reached.wait(Position(2), 30)))

    reached.advance(Position(1))
    reached.advance(Position(3))
    thread.join()

    assert answers == [True]


def test_everybody_waiting_in_an_event_loop_is_woken_at_its_own_position() -> None:
    reached = Reached()
    order: list[int] = []

    async def wait(position: int) -> None:
        assert await reached.wait_for(Position(position), 30)
        order.append(position)

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            for position in (3, 1, 2):
                group.create_task(wait(position))
            await asyncio.sleep(0)
            for position in (1, 2, 3):
                thread = in_a_thread(lambda p=position: reached.advance(Position(p)))
                await asyncio.to_thread(thread.join)

    asyncio.run(scenario())
    assert order == [1, 2, 3]


def test_a_waiter_in_an_event_loop_is_woken_within_a_millisecond() -> None:
    reached = Reached()

    async def scenario() -> list[float]:
        delays = []
        for position in range(1, 21):
            waiting = asyncio.ensure_future(reached.wait_for(Position(position), 30))
            await asyncio.sleep(0.001)
            started: list[float] = []

            def advance(to: int = position, at: list[float] = started) -> None:
                at.append(time.perf_counter())
                reached.advance(Position(to))

            in_a_thread(advance)
            assert await waiting
            delays.append(time.perf_counter() - started[0])
        return delays

    assert sorted(asyncio.run(scenario()))[10] < 0.001


def test_the_end_is_told_to_those_who_wait_now_and_later() -> None:
    reached = Reached()

    async def scenario() -> list[bool]:
        waiting = asyncio.ensure_future(reached.wait_for(Position(1), 30))
        await asyncio.sleep(0)
        reached.end()
        return [await waiting, await reached.wait_for(Position(1), 30)]

    assert asyncio.run(scenario()) == [False, False]
    assert not reached.wait(Position(1), 30)


def test_a_waiter_that_gave_up_is_forgotten() -> None:
    reached = Reached()

    async def scenario() -> None:
        waiting = asyncio.ensure_future(reached.wait_for(Position(1), 30))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not await reached.wait_for(Position(1), 0.001)

    asyncio.run(scenario())
    assert reached._waiters == []
    reached.advance(Position(1))


def test_a_loop_that_is_gone_does_not_hold_the_follower_up() -> None:
    reached = Reached()
    loop = asyncio.new_event_loop()
    reached._waiters.append(_Waiter(Position(1), loop, loop.create_future()))
    loop.close()

    reached.advance(Position(1))

    assert reached.position == 1
