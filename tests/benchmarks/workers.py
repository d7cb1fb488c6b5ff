"""Workers by themselves: what the sandbox costs a call, cold starts, memory, and how fast they die."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import uvloop

from app.domain.outcomes import Call, HookVersion, Language, Limits, OutcomeKind
from app.runtime import interpreter, launcher, runner
from app.runtime.isolation import LayerReport
from app.runtime.runner import IsolatedRunner
from tests.benchmarks.processes import family

_ECHO: dict[Language, str] = {
    "python": "def hook(event, context):\n    return event\n",
    "node": "module.exports = function (event, context, cb) { cb(null, event); };\n",
}
_PAYLOAD = json.dumps({"event": {"a": 1}, "context": {}}).encode()

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


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found; milliseconds, microseconds and MiB as the names say."""

    level: str
    full_us: float
    """A warm call over the runner, everything in force."""
    none_us: float
    """The same with workers that nothing confines."""
    sandbox: float
    """Median of the ratios of blocks that alternate."""
    cold_ms: dict[str, float]
    """From a version that never ran to its first answer, by language."""
    not_run: dict[str, str]
    """Languages that could not be tried, and why."""
    hooks: int
    private_mib: float
    """Private memory of one warm Python worker, the median of ``hooks``."""
    pss_mib: float
    kill_ms: dict[str, float]
    """From the deadline to the end of the process, the worst of several, by kind of hook."""


def measure(*, hooks: int = 200, blocks: int = 30, starts: int = 30, kills: int = 5) -> Figures:
    """Measure all of it."""
    return uvloop.run(_measure(hooks, blocks, starts, kills))


async def _measure(hooks: int, blocks: int, starts: int, kills: int) -> Figures:
    full_us, none_us, ratio, level = await _sandbox(blocks)
    async with _running(hooks + 8) as one:
        cold: dict[str, float] = {}
        not_run: dict[str, str] = {}
        languages: tuple[Language, ...] = ("python", "node")
        for language in languages:
            try:
                cold[language] = await _cold_start(one, language, starts)
            except RuntimeError as error:
                not_run[language] = str(error)
        kill = {name: await _kill(one, name, kills) for name in _HOSTILE}
    async with _running(hooks + 8) as one:
        private, pss = await _memory(one, hooks)
    return Figures(
        level, full_us, none_us, ratio, cold, not_run, hooks, private, pss, kill
    )  # fmt: skip


async def _sandbox(blocks: int) -> tuple[float, float, float, str]:
    with _one_core():
        return await _full_against_none(blocks)


async def _full_against_none(blocks: int) -> tuple[float, float, float, str]:
    async with _running(4) as full, _running(4, confined=False) as none:
        version = _version("warm", _ECHO["python"])
        pairs = []
        for runner_ in (full, none):
            await _block(runner_, version)
        for number in range(blocks):
            # Which one goes first alternates too.
            order = (full, none) if number % 2 else (none, full)
            took = {id(one): await _block(one, version) for one in order}
            pairs.append((took[id(full)], took[id(none)]))
        return (
            statistics.median(a for a, _ in pairs),
            statistics.median(b for _, b in pairs),
            statistics.median(a / b for a, b in pairs),
            full.level,
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


async def _block(one: IsolatedRunner, version: HookVersion, calls: int = 400) -> float:
    """Microseconds of a call, the median of one block."""
    times = []
    for number in range(calls):
        started = time.perf_counter()
        await _answered(one, version, str(number))
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


async def _cold_start(one: IsolatedRunner, language: Language, starts: int) -> float:
    times = []
    for number in range(starts + 1):
        version = _version(f"{language}-{number}", _ECHO[language], language)
        started = time.perf_counter()
        await _answered(one, version, "first")
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times[1:])


async def _memory(one: IsolatedRunner, hooks: int) -> tuple[float, float]:
    versions = [_version(f"kept-{number}", _ECHO["python"]) for number in range(hooks)]
    await one.prepare(versions)
    for version in versions:
        for number in range(5):
            await _answered(one, version, str(number))
    found = [_rollup(pid) for pid in _workers(one)]
    # The zygote and its parent are bigger than any worker, and are two.
    workers = sorted(found)[:hooks]
    return (
        statistics.median(private for private, _ in workers),
        statistics.median(pss for _, pss in workers),
    )


async def _kill(one: IsolatedRunner, name: str, kills: int) -> float:
    worst = 0.0
    for number in range(kills):
        version = _version(f"{name}-{number}", _HOSTILE[name])
        before = _workers(one)
        running = asyncio.ensure_future(one.run(version, Call("call", _PAYLOAD, _DEADLINE)))
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


async def _answered(one: IsolatedRunner, version: HookVersion, name: str) -> None:
    outcome = await one.run(version, Call(name, _PAYLOAD, 10))
    if outcome.kind is not OutcomeKind.SUCCEEDED:
        raise RuntimeError(outcome.detail or str(outcome.data))


@contextlib.asynccontextmanager
async def _running(most: int, *, confined: bool = True) -> AsyncIterator[IsolatedRunner]:
    one = IsolatedRunner(
        isolation="required" if confined else "best-effort",
        on_log=lambda _: None,
        clock=lambda: datetime.now(UTC),
        max_workers_total=most,
    )
    with contextlib.ExitStack() as stack:
        if not confined:
            stack.enter_context(mock.patch.object(runner, "probe", _no_layer))
            stack.enter_context(mock.patch.object(launcher, "command", _unconfined))
        await one.start()
        try:
            yield one
        finally:
            await one.stop()


def _no_layer(*_: object, **__: object) -> tuple[LayerReport, ...]:
    return tuple(LayerReport(name, in_force=True) for name in ("uid", "process descriptors"))


def _unconfined(_: str, *arguments: Any) -> list[str]:
    return interpreter.command("tests.benchmarks.unconfined", *arguments)


def _version(key: str, script: str, language: Language = "python") -> HookVersion:
    return HookVersion(
        key=key,
        hook_id=key,
        name=key,
        trigger="benchmark",
        language=language,
        script=script,
        parameters=("event", "context"),
        open_secrets=dict,
        limits=Limits(memory_bytes=512 << 20),
    )


def _rollup(pid: int) -> tuple[float, float]:
    """Private memory (dirty) and proportional share of a process, in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kib = {name.rstrip(":"): int(size) for name, size, *_ in map(str.split, text.splitlines()[1:])}
    return kib["Private_Dirty"] / 1024, kib["Pss"] / 1024
