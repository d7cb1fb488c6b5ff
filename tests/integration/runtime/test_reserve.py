"""Node.js workers that wait for a script: taken, replaced, giving way, ending."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.outcomes import OutcomeKind, ScriptToCheck
from app.runtime.reserve import BURST

ECHO = "module.exports = (event, context, cb) => cb(null, process.ppid)"


def waiting(house: Any) -> int:
    found: int = house.runner.reserve
    return found


@pytest.fixture
def made(new_house: Any, until: Any) -> Iterator[Callable[..., Any]]:
    """Start a runner with two workers in reserve; ``made(most=16)``."""
    houses = []

    def make(**options: Any) -> Any:
        house = new_house(node_reserve=2, **options)
        houses.append(house)
        house.do(house.runner.start())
        until(lambda: waiting(house) == 2)
        return house

    yield make
    for house in houses:
        house.close()


def test_a_version_never_run_takes_one_and_it_is_replaced(made: Any, until: Any) -> None:
    house = made()
    ahead = sorted(house.processes())
    starter = ahead[1]
    # Nothing can be started meanwhile.
    os.kill(starter, signal.SIGSTOP)
    try:
        for _ in range(2):
            version = house.version(ECHO, language="node", max_workers=1)
            assert house.call(version).kind is OutcomeKind.SUCCEEDED
        assert waiting(house) == 0
    finally:
        os.kill(starter, signal.SIGCONT)
    until(lambda: waiting(house) > 2)


def test_once_node_hooks_run_a_burst_of_new_versions_finds_workers(made: Any, until: Any) -> None:
    house = made(most=64)
    first = house.version(ECHO, language="node", max_workers=1)
    assert house.call(first).kind is OutcomeKind.SUCCEEDED
    until(lambda: waiting(house) == BURST)
    starter = sorted(house.processes())[1]
    os.kill(starter, signal.SIGSTOP)
    try:
        for _ in range(BURST):
            version = house.version(ECHO, language="node", max_workers=1)
            assert house.call(version).kind is OutcomeKind.SUCCEEDED
    finally:
        os.kill(starter, signal.SIGCONT)
    until(lambda: waiting(house) == BURST)


def test_half_of_the_memory_is_left_to_hooks(new_house: Any, until: Any) -> None:
    house = new_house(node_reserve=2, max_memory="768MiB")
    try:
        house.do(house.runner.start())
        until(lambda: waiting(house) == 1)
        version = house.version(ECHO, language="node", memory_bytes=512 << 20)
        assert house.call(version).kind is OutcomeKind.SUCCEEDED
        assert waiting(house) == 1
    finally:
        house.close()


def test_scripts_are_checked_by_one_too(made: Any) -> None:
    house = made()
    starter = sorted(house.processes())[1]
    script = ScriptToCheck("hook.js", "node", "let a = ;", ("event",))
    os.kill(starter, signal.SIGSTOP)
    try:
        (problem,) = house.do(house.runner.check([script]))
    finally:
        os.kill(starter, signal.SIGCONT)
    assert problem.line == 1


def test_a_version_with_limits_of_its_own_has_a_worker_started(made: Any) -> None:
    house = made()
    version = house.version(ECHO, language="node", memory_bytes=128 << 20)
    assert house.call(version).kind is OutcomeKind.SUCCEEDED
    assert waiting(house) == 2


def test_hooks_take_the_places_of_those_that_wait(made: Any, until: Any) -> None:
    house = made(most=4)
    script = "import os\ndef hook(event, context):\n    return os.getpid()"
    versions = [house.version(script, max_workers=1) for _ in range(4)]
    for version in versions:
        assert house.call(version).kind is OutcomeKind.SUCCEEDED
    assert waiting(house) == 0
    assert sum(house.call(version).kind is OutcomeKind.SUCCEEDED for version in versions) == 4


def test_one_that_is_killed_is_replaced(made: Any, until: Any) -> None:
    house = made()
    before = set(house.processes())
    victim = max(before)
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in house.processes() and waiting(house) == 2)
    assert len(house.processes()) <= len(before)


def test_those_that_wait_take_no_processor_time(made: Any) -> None:
    house = made()

    def spent(process: int) -> int:
        return sum(
            int((task / "schedstat").read_text().split()[0])
            for task in Path(f"/proc/{process}/task").iterdir()
        )

    pause = threading.Event()
    pause.wait(1)  # for Node.js to have started
    workers = sorted(house.processes())[-2:]
    before = [spent(pid) for pid in workers]
    pause.wait(0.5)
    grown = [after - first for first, after in zip(before, map(spent, workers), strict=True)]
    assert max(grown) < 20_000_000  # of 500 ms


def test_nothing_is_left_of_them(new_house: Any, until: Any) -> None:
    opened = len(list(Path("/proc/self/fd").iterdir()))
    house = new_house(node_reserve=2)
    house.do(house.runner.start())
    until(lambda: waiting(house) == 2)
    assert house.call(house.version(ECHO, language="node")).kind is OutcomeKind.SUCCEEDED
    processes = house.processes()
    house.close()
    assert [pid for pid in processes if Path(f"/proc/{pid}").exists()] == []
    assert len(list(Path("/proc/self/fd").iterdir())) == opened
