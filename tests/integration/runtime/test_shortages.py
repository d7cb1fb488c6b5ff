"""When the machine has no more of something: a call is refused with the reason, nobody else harmed."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.outcomes import OutcomeKind

COUNTER = """
calls = 0
def hook(event, context):
    global calls
    calls += 1
    return calls
"""
ECHO = "def hook(event, context):\n    return event"


def descriptors_of(pid: int | str) -> set[int]:
    return {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}


def starter_of(house: Any) -> int:
    """Return the process that forks workers; its parent waits for it."""
    waiting = Path(f"/proc/{house.runner.launcher_pid}/task/{house.runner.launcher_pid}/children")
    return int(waiting.read_text())


@pytest.fixture
def few_descriptors() -> Iterator[Callable[[int], None]]:
    """Leave this process only so many descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []

    def leave(count: int) -> None:
        highest = max(descriptors_of("self"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, hard))
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(count):
            os.close(taken.pop())

    yield leave
    for descriptor in taken:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("left", range(6))
def test_without_descriptors_a_worker_is_refused_and_the_others_go_on(
    house: Any, few_descriptors: Callable[[int], None], left: int
) -> None:
    victim = house.version(COUNTER, max_workers=1)
    assert house.call(victim).data == b"1"
    few_descriptors(left)
    version = house.version(ECHO, max_workers=1)
    outcome = house.call(version, "alive", timeout=3)
    assert outcome.queued < 1
    if outcome.kind is not OutcomeKind.SUCCEEDED:
        assert outcome.kind is OutcomeKind.CRASHED
        assert "Too many open files" in outcome.detail
    assert house.call(victim).data == b"2", "it is still the same process"


def test_the_starter_refuses_what_it_has_no_descriptors_for(new_house: Any) -> None:
    made = new_house(most=64)
    made.do(made.runner.start())
    try:
        victim = made.version(COUNTER, max_workers=1)
        assert made.call(victim).data == b"1"
        starter = starter_of(made)
        # A worker needs some above 16 for a moment; the starter holds one for each.
        resource.prlimit(starter, resource.RLIMIT_NOFILE, (28, 28))
        outcomes = [made.call(made.version(ECHO), "alive", timeout=5) for _ in range(30)]
        kinds = {outcome.kind for outcome in outcomes}
        assert kinds == {OutcomeKind.SUCCEEDED, OutcomeKind.CRASHED}
        assert starter_of(made) == starter
        assert made.call(victim).data == b"2", "it is still the same process"
    finally:
        made.close()
