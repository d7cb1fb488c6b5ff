"""Workers by themselves: what the sandbox costs a call, starts, memory, and how fast they die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from app.domain.outcomes import Call, HookVersion, Language, OutcomeKind
from app.runtime.node_binary import find_node
from app.runtime.runner import IsolatedRunner
from tests.benchmarks import starts
from tests.benchmarks.processes import family
from tests.benchmarks.runners import ECHO, PAYLOAD, answered, running, version
from tests.benchmarks.starts import Starts

_DEADLINE = 0.3

_HOSTILE = {
    "a busy loop": "def hook(event, context):\n    while True:\n        pass\n",
    "deaf to signals": "import signal, time\n"
    "for number in range(1, 32):\n"
    "    try:\n        signal.signal(number, signal.SIG_IGN)\n"
    "    except (OSError, ValueError):\n        pass\n"
    "def hook(event, context):\n    time.sleep(60)\n",
    "200 MB in use": "import time\n"
    "def hook(event, context):\n    kept = b'x' * 200_000_000\n    time.sleep(60)\n",
}

_PAIRS, _CALLS = 60, 200
"""Blocks with and without isolation that alternate, and calls of each."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What confining a worker costs a warm call."""

    level: str
    full_us: float
    """A warm call over the runner, everything in force."""
    none_us: float
    """The same with workers that nothing confines."""
    ratio: float
    """Median of the ratios of blocks that alternate, of several pairs of runners."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one warm worker, the median; MiB."""

    hooks: int
    private: float
    shared_too: float
    """The proportional share: what is shared is divided by those that share it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found."""

    sandbox: Sandbox
    starts: Starts
    memory: dict[Language, Memory]
    kill_ms: dict[str, float]
    """From the deadline to the end of the process, the worst of several, by kind of hook."""


def measure(
    *, hooks: int = 200, pairs_of_runners: int = 5, starts_: int = 32, kills: int = 5
) -> Figures:
    """Measure all of it; Node.js hooks are a tenth of ``hooks``."""
    return uvloop.run(_measure(hooks, pairs_of_runners, starts_, kills))


async def _measure(hooks: int, pairs_of_runners: int, starts_: int, kills: int) -> Figures:
    with _one_core():
        found = [await _full_against_none() for _ in range(pairs_of_runners)]
    middle = sorted(found, key=lambda one: one.ratio)[len(found) // 2]
    started = await starts.measure(starts_, calls=10 * starts_)
    async with running(8, node_reserve=0) as one:
        kill = {name: await _kill(one, name, kills) for name in _HOSTILE}
    memory: dict[Language, Memory] = {"python": await _memory(hooks, "python")}
    if find_node() is not None:
        memory["node"] = await _memory(hooks // 10 + 1, "node")
    return Figures(middle, started, memory, kill)


async def _full_against_none() -> Sandbox:
    async with running(4) as full, running(4, confined=False) as none:
        warm = version("warm")
        for each in (full, none):
            await _block(each, warm)
        pairs = []
        for number in range(_PAIRS):
            # Which one goes first alternates too.
            order = (full, none) if number % 2 else (none, full)
            took = {id(one): await _block(one, warm) for one in order}
            pairs.append((took[id(full)], took[id(none)]))
        return Sandbox(
            full.level,
            statistics.median(a for a, _ in pairs),
            statistics.median(b for _, b in pairs),
            statistics.median(a / b for a, b in pairs),
        )


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    """Keep this process and all it starts on one core.

    Whether the scheduler puts a worker on the caller's core or on another doubles or halves the
    round trip, and it puts one runner's here and the other's there.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def _block(one: IsolatedRunner, warm: HookVersion) -> float:
    """Microseconds of a call, the median of one block."""
    times = []
    for number in range(_CALLS):
        started = time.perf_counter()
        await answered(one, warm, str(number))
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


async def _memory(hooks: int, language: Language) -> Memory:
    async with running(hooks + 8, node_reserve=0) as one:
        kept = [version(f"kept-{number}", ECHO[language], language) for number in range(hooks)]
        await one.prepare(kept)
        for each in kept:
            for number in range(5):
                await answered(one, each, str(number))
        _, *workers = sorted(_workers(one))
        found = [_rollup(pid) for pid in workers]
    return Memory(
        hooks,
        statistics.median(private for private, _ in found),
        statistics.median(share for _, share in found),
    )


async def _kill(one: IsolatedRunner, name: str, kills: int) -> float:
    worst = 0.0
    for number in range(kills):
        slow = version(f"{name}-{number}", _HOSTILE[name])
        before = _workers(one)
        running = asyncio.ensure_future(one.run(slow, Call("call", PAYLOAD, _DEADLINE)))
        while not (new := _workers(one) - before):  # noqa: ASYNC110 (a process of somebody else)
            await asyncio.sleep(0.001)
        outcome = await running
        deadline = time.monotonic() - outcome.ran + _DEADLINE
        if outcome.kind is not OutcomeKind.TIMED_OUT:
            raise RuntimeError(f"{name}: {outcome.kind} {outcome.detail}")
        while new & _workers(one):  # noqa: ASYNC110 (the same)
            await asyncio.sleep(0.001)
        worst = max(worst, (time.monotonic() - deadline) * 1000)
    return worst


def _workers(one: IsolatedRunner) -> set[int]:
    assert one.launcher_pid is not None
    return set(family(one.launcher_pid))


def _rollup(pid: int) -> tuple[float, float]:
    """Private memory (dirty) and proportional share of a process, in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kib = {name.rstrip(":"): int(size) for name, size, *_ in map(str.split, text.splitlines()[1:])}
    return kib["Private_Dirty"] / 1024, kib["Pss"] / 1024
