"""How long a worker takes that was not there before: versions never run, and fresh processes."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from dataclasses import dataclass

from app.domain.outcomes import HookVersion, Language, Lifecycle
from app.runtime.node_binary import find_node
from app.runtime.reserve import BURST
from app.runtime.runner import IsolatedRunner
from tests.benchmarks.runners import ECHO, answered, running, version

_BOOTED_SECONDS = 0.15
"""After which a Node.js worker in reserve has started and rehearsed."""


@dataclass(frozen=True, slots=True)
class NodeStarts:
    """Milliseconds, medians."""

    reserve_ms: float
    """From a version that never ran to its first answer, with a worker in reserve."""
    burst_ms: float
    """The slowest of ``BURST`` versions that come one after the other, the median of bursts."""
    alone_ms: float
    """With none in reserve."""
    floor_ms: float
    """``node -e 0``, in the same rounds."""


@dataclass(frozen=True, slots=True)
class Starts:
    """Milliseconds, medians."""

    python_ms: float
    node: NodeStarts | None
    """None without Node.js."""
    fresh_ms: float
    """A call of a ``fresh`` hook, one right after the other."""
    fresh_apart_ms: float
    """The same with 20 ms between calls, in which a process is ready for the next."""


async def measure(starts: int, calls: int) -> Starts:
    """Start ``starts`` versions of each kind, and ``calls`` fresh processes."""
    async with running(8 * starts + 64) as one:
        python = [await _cold(one, "python", number) for number in range(starts + 1)][1:]
        node = await _node(one, starts) if find_node() is not None else None
    async with running(16) as one:
        fresh = version("fresh", lifecycle=Lifecycle(mode="fresh"))
        await one.prepare([fresh])
        await _calls(one, fresh, calls // 10 + 1)
        together = await _calls(one, fresh, calls)
        apart = await _calls(one, fresh, calls // 4 + 1, pause=0.02)
    return Starts(statistics.median(python), node, together, apart)


async def _node(one: IsolatedRunner, starts: int) -> NodeStarts:
    await _cold(one, "node", -1)
    reserve, bursts, alone, floor = [], [], [], []
    for number in range(max(starts // BURST, 1)):
        await _wait_for_reserve(one)
        first = number * BURST
        bursts.append(max([await _cold(one, "node", first + each) for each in range(BURST)]))
    async with running(starts + 8, node_reserve=0) as bare:
        for number in range(starts):
            await _wait_for_reserve(one)
            reserve.append(await _cold(one, "node", 1000 + number))
            alone.append(await _cold(bare, "node", number))
            floor.append(await asyncio.to_thread(_empty_script))
    return NodeStarts(*map(statistics.median, (reserve, bursts, alone, floor)))


async def _cold(one: IsolatedRunner, language: Language, number: int) -> float:
    asked = version(f"{language}-{number}", ECHO[language], language)
    started = time.perf_counter()
    await answered(one, asked)
    return (time.perf_counter() - started) * 1000


async def _wait_for_reserve(one: IsolatedRunner) -> None:
    while one.reserve < BURST:  # noqa: ASYNC110 (processes of somebody else)
        await asyncio.sleep(0.01)
    await asyncio.sleep(_BOOTED_SECONDS)


def _empty_script() -> float:
    started = time.perf_counter()
    subprocess.run([str(find_node()), "-e", "0"], env={}, check=True)
    return (time.perf_counter() - started) * 1000


async def _calls(one: IsolatedRunner, asked: HookVersion, calls: int, pause: float = 0) -> float:
    """Milliseconds of a call, the median."""
    times = []
    for _ in range(calls):
        if pause:
            await asyncio.sleep(pause)
        started = time.perf_counter()
        await answered(one, asked)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000
