"""A follower misses nothing, tries again what may pass, and stops at what it cannot take in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from app.domain.errors import Stalled, Transient
from app.domain.revisions import Position
from projections.event_log import PoisonEvent, Recorded
from projections.follower import Follower

HOUR = 3600.0
"""A poll that never comes: what happens was caused by a wake-up."""


class Taken:
    """A projection that remembers what it was given."""

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.batches: list[int] = []
        self.fail: Exception | None = None

    def apply(self, after: Position, recorded: Sequence[Recorded]) -> Position:
        for fact in recorded:
            if fact.event is None:
                raise PoisonEvent(fact, fact.problem)
        if self.fail is not None:
            raise self.fail
        assert after == (self.positions or [0])[-1]
        self.positions += [fact.position for fact in recorded]
        self.batches.append(len(recorded))
        return recorded[-1].position


Follow = Callable[..., Follower]


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def follow(story: Any, taken: Taken) -> Iterator[Follow]:
    """Make followers of ``story`` into ``taken``, stopped in the end."""
    with ExitStack() as stack:

        def follow(**options: Any) -> Follower:
            given: dict[str, Any] = {"start": lambda: Position(0), "apply": taken.apply}
            follower = Follower("test", story, **(given | {"poll": HOUR} | options))
            stack.callback(follower.stop)
            return follower

        yield follow


def soon(condition: Callable[[], bool]) -> bool:
    """Wait up to 10 seconds for something another thread brings about."""
    tick = threading.Event()
    return any(condition() or tick.wait(0.005) for _ in range(2000))


def test_it_takes_what_is_there_in_batches(story: Any, taken: Taken, follow: Follow) -> None:
    story.every_kind()
    follower = follow(batch=7)
    follower.start()

    assert follower.wait(story.head(), 10)
    assert taken.positions == list(range(1, len(story.recorded) + 1))
    assert set(taken.batches[:-1]) == {7}


def test_it_goes_on_from_where_it_was_told(story: Any, taken: Taken, follow: Follow) -> None:
    story.every_kind()
    taken.positions = [4]
    follower = follow(start=lambda: Position(4))
    follower.start()

    assert follower.wait(story.head(), 10)
    assert taken.positions[1] == 5


def test_a_wake_up_makes_it_look_at_once(story: Any, taken: Taken, follow: Follow) -> None:
    follower = follow()
    follower.start()
    assert follower.wait_until_settled(10)

    story.hook()
    follower.wake()

    assert follower.wait(Position(1), 10)


def test_it_does_nothing_while_there_is_nothing_to_do(story: Any, follow: Follow) -> None:
    follower = follow()
    follower.start()
    follower.wake()
    assert soon(lambda: follower.wait_until_settled(0))
    tick = threading.Event()
    tick.wait(0.05)
    reads = story.reads

    with story.read:
        assert not story.read.wait_for(lambda: story.reads > reads, 0.1)


def test_without_any_wake_up_it_still_looks(story: Any, taken: Taken, follow: Follow) -> None:
    follower = follow(poll=0.01)
    follower.start()
    assert follower.wait_until_settled(10)

    story.hook()

    assert follower.wait(Position(1), 10)


def test_no_wake_up_is_lost_under_load(story: Any, taken: Taken, follow: Follow) -> None:
    follower = follow(batch=3)
    follower.start()
    hook = story.hook()
    for number in range(300):
        with story.meta():
            hook.move(f"hooks/{number}")
            position = story.save(hook)
        follower.wake()
        if number % 50 == 0:
            assert follower.wait(position, 10)

    assert follower.wait(story.head(), 10)
    assert taken.positions == list(range(1, 302))


def test_an_event_loop_can_wait_for_it(story: Any, follow: Follow) -> None:
    follower = follow()
    follower.start()

    async def scenario() -> bool:
        waiting = asyncio.ensure_future(follower.wait_for(Position(1), 10))
        await asyncio.to_thread(story.hook)
        follower.wake()
        return await waiting

    assert asyncio.run(scenario())


def test_what_may_pass_is_tried_again(story: Any, follow: Follow) -> None:
    story.fail = Transient("The disk is away.")
    follower = follow()
    follower.start()
    assert soon(lambda: story.reads >= 2)
    state = follower.state()
    assert (state.error, state.running, state.stopped_by_error) == (
        "The disk is away.",
        True,
        False,
    )

    story.recorded, story.fail = [], None
    story.hook()

    assert follower.wait(Position(1), 10)
    assert soon(lambda: follower.state().error is None)


def test_a_projection_may_fail_for_a_while_too(story: Any, taken: Taken, follow: Follow) -> None:
    story.hook()
    taken.fail = Transient("The database is locked.")
    follower = follow()
    follower.start()
    assert soon(lambda: follower.state().error is not None)

    taken.fail = None

    assert follower.wait(Position(1), 10)
    assert taken.positions == [1]


def test_it_stops_at_an_event_nobody_understands_and_says_which(
    story: Any, taken: Taken, follow: Follow, caplog: pytest.LogCaptureFixture
) -> None:
    story.hook()
    follower = follow()
    follower.start()
    assert follower.wait(Position(1), 10)

    story.unknown()
    story.hook("B", "second")
    follower.wake()

    assert not follower.wait(Position(2), 10)
    assert soon(lambda: follower.state().stopped_by_error)
    state = follower.state()
    assert (state.position, state.head, state.lag) == (1, 3, 2)
    assert (state.failed_position, state.failed_topic) == (2, "hook.sharded")
    assert "does not know this type" in str(state.error)
    assert taken.positions == [1]
    (said,) = caplog.records
    assert "stopped at position 1: Event 2 (`hook.sharded`" in said.getMessage()
    assert said.exc_info is None


def test_any_other_error_stops_it_too_and_names_the_batch(
    story: Any, taken: Taken, follow: Follow
) -> None:
    story.hook()
    taken.fail = Stalled("The file is damaged.")
    follower = follow()
    follower.start()

    assert soon(lambda: follower.state().stopped_by_error)
    state = follower.state()
    assert (state.error, state.failed_position) == ("The file is damaged.", 1)


def test_a_healthy_follower_says_so(story: Any, follow: Follow) -> None:
    story.hook()
    follower = follow()
    follower.start()
    assert follower.wait(Position(1), 10)

    state = follower.state()
    assert (state.name, state.running, state.lag, state.error) == ("test", True, 0, None)


def test_the_state_can_be_told_while_the_log_cannot_be_read(story: Any, follow: Follow) -> None:
    story.fail = Transient("The disk is away.")

    assert follow().state().error == "The disk is away."


def test_it_stops_at_once_though_it_was_asleep(story: Any, follow: Follow) -> None:
    follower = follow()
    follower.start()
    assert follower.wait_until_settled(10)

    follower.stop()

    assert not follower.state().running
    assert not follower.wait(Position(1), HOUR), "waiting for one that stopped is over at once"


def test_one_that_never_ran_can_be_stopped(follow: Follow) -> None:
    follow().stop()


def test_lingering_takes_a_burst_in_one_batch(story: Any, taken: Taken, follow: Follow) -> None:
    follower = follow(linger=0.2)
    follower.start()
    assert follower.wait_until_settled(10)

    story.hook("A", "first")
    follower.wake()
    for hook_id in "BCDE":
        story.hook(hook_id, hook_id.lower())
        follower.wake()

    assert follower.wait(Position(5), 10)
    assert taken.batches == [5]


def test_a_view_that_fell_back_is_fed_again(story: Any, follow: Follow) -> None:
    story.every_kind()
    answers = iter((Position(2), Position(0)))
    offered: list[tuple[int, int]] = []

    def apply(after: Position, recorded: Sequence[Recorded]) -> Position:
        offered.append((after, recorded[0].position))
        return next(answers, recorded[-1].position)

    follower = follow(apply=apply, batch=2)
    follower.start()

    assert follower.wait(story.head(), 10)
    assert offered[:3] == [(0, 1), (2, 3), (0, 1)]
