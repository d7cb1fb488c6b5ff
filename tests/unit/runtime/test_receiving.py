"""A worker looks for its next call without sleeping only while calls come one by one, and soon."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

import pytest

from app.runtime.inside.receiving import ENOUGH, PATIENCE, Receiver


class Line:
    """A connection on which a call comes after ``pause`` seconds of a clock of its own."""

    def __init__(self) -> None:
        self.pause = PATIENCE / 10
        self.slept: list[bool] = []
        self.polled = 0
        self._now = 0.0
        self._waited = 0.0

    def clock(self) -> float:
        self._now += 1e-6
        return self._now

    def register(self, connection: Line, _event: int) -> None:
        assert connection is self

    def poll(self) -> None:
        self.polled += 1

    def recv(self, _most: int, flags: int = 0) -> bytes:
        if flags == socket.MSG_DONTWAIT:
            if self._waited < self.pause:
                self._waited += PATIENCE / 20
                self._now += PATIENCE / 20
                raise BlockingIOError
        else:
            self._now += self.pause - self._waited
        self._waited = 0.0
        self.slept.append(flags == 0)
        return b"call"


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    line = Line()
    monkeypatch.setattr(time, "perf_counter", line.clock)
    monkeypatch.setattr(select, "poll", lambda: line)
    return line


@pytest.fixture
def receiver_on(line: Line) -> Callable[[int], Receiver]:
    return lambda processors: Receiver(line, processors)  # type: ignore[arg-type]


def served(receiver: Receiver, times: int, calls: int = 1) -> None:
    for _ in range(times):
        assert receiver.receive(calls) == b"call"


def test_it_sleeps_until_calls_have_come_one_by_one_for_a_while(
    line: Line, receiver_on: Callable[[int], Receiver]
) -> None:
    served(receiver_on(2), ENOUGH + 3)

    assert line.slept == [True] * ENOUGH + [False] * 3


def test_after_a_pause_it_sleeps_and_soon_always(
    line: Line, receiver_on: Callable[[int], Receiver]
) -> None:
    receiver = receiver_on(2)
    served(receiver, ENOUGH + 1)
    line.pause = PATIENCE * 50
    line.slept.clear()

    served(receiver, 3)

    assert line.slept == [True] * 3  # it looked before the first, and in vain


def test_calls_that_overlap_let_it_sleep(
    line: Line, receiver_on: Callable[[int], Receiver]
) -> None:
    receiver = receiver_on(2)
    served(receiver, 10 * ENOUGH)
    line.slept.clear()

    served(receiver, 20, calls=2)
    served(receiver, 1)

    assert line.slept == [True] * 21


def test_one_pause_among_many_calls_changes_nothing(
    line: Line, receiver_on: Callable[[int], Receiver]
) -> None:
    receiver = receiver_on(2)
    served(receiver, 10 * ENOUGH)
    line.pause = PATIENCE * 50
    served(receiver, 1)
    line.pause = PATIENCE / 10
    line.slept.clear()

    served(receiver, 5)

    assert line.slept == [False] * 5


def test_on_one_processor_it_always_sleeps(
    line: Line, receiver_on: Callable[[int], Receiver]
) -> None:
    served(receiver_on(1), 3 * ENOUGH)

    assert all(line.slept)


def test_it_sleeps_in_poll_where_only_what_comes_wakes_it(
    line: Line, receiver_on: Callable[[int], Receiver]
) -> None:
    served(receiver_on(2), 10 * ENOUGH)

    assert line.polled == line.slept.count(True) == ENOUGH


def test_it_tells_when_the_server_is_gone() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        assert Receiver(ours, 2).receive(1) == b""
