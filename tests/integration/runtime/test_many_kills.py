"""Worker after worker is killed or dies: nothing of them stays behind, in any process of ours."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.domain.outcomes import Lifecycle, OutcomeKind

DYING = """
import os, time
def hook(event, context):
    if event == "exit": os._exit(1)
    if event == "babble": os.write(3, b"x" * 64)
    if event == "eat": return len(bytearray(1 << 40))
    while event == "loop": pass
    return event
"""
ENDS = {
    "exit": OutcomeKind.CRASHED,
    "babble": OutcomeKind.VIOLATED,
    "eat": OutcomeKind.OUT_OF_MEMORY,
    "loop": OutcomeKind.TIMED_OUT,
}
_AT_ONCE = 6
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the server and the processes that start workers hold while no worker runs."""

    processes: frozenset[int]
    descriptors: tuple[int, ...]
    resident: int


def holdings(house: Any) -> Holdings:
    gc.collect()
    processes = frozenset(house.processes())
    ours = ["self", *sorted(processes)]
    return Holdings(
        processes,
        tuple(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in ours),
        sum(resident(Path(f"/proc/{pid}/status")) for pid in ours),
    )


def resident(status: Path) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def kill(house: Any, payload: Any, kills: int) -> Counter[tuple[str, OutcomeKind]]:
    """Have that many fresh and warm workers end in every way; return what the callers were told."""
    fresh = house.version(DYING, lifecycle=Lifecycle(mode="fresh"), max_workers=_AT_ONCE)
    warm = house.version(DYING, max_workers=1)
    told: Counter[tuple[str, OutcomeKind]] = Counter()
    ways = list(ENDS)

    async def one(version: Any, number: int) -> None:
        way = ways[number % len(ways)]
        # Only the loop runs into its deadline; the others may wait for their turn.
        timeout = 0.01 if way == "loop" else 30
        while True:
            outcome = await house.runner.run(version, payload(way, timeout=timeout))
            if outcome.kind is not OutcomeKind.OVERLOADED:
                break
        told[way, outcome.kind] += 1

    async def caller(share: range) -> None:
        for number in share:
            await one(fresh, number)

    async def all_of_them() -> None:
        await asyncio.gather(
            *(caller(range(first, kills * 9 // 10, _AT_ONCE)) for first in range(_AT_ONCE))
        )
        for number in range(kills * 9 // 10, kills):
            await one(warm, number)
            # An answer between two deaths: without it, each is followed by a longer pause.
            assert (await house.runner.run(warm, payload("fine"))).data == b'"fine"'
        await house.runner.prepare([fresh, warm])
        await house.runner.prepare([])

    house.do(all_of_them(), 1800)
    return told


def nothing_stays(
    house: Any, payload: Any, until: Callable[..., None], kills: int, growth: int
) -> None:
    base = len(house.processes())
    kill(house, payload, 40)
    until(lambda: len(house.processes()) == base)
    before = holdings(house)
    told = kill(house, payload, kills)
    until(lambda: len(house.processes()) == base)
    after = holdings(house)
    assert told.keys() == ENDS.items()
    assert told.total() == kills
    assert after.processes == before.processes
    assert after.descriptors == before.descriptors
    assert after.resident - before.resident < growth


@pytest.fixture
def alone(new_house: Any) -> Any:
    made = new_house()
    made.do(made.runner.start())
    yield made
    made.close()


def test_three_hundred_kills_leave_nothing_behind(
    alone: Any, payload: Any, until: Callable[..., None]
) -> None:
    nothing_stays(alone, payload, until, kills=300, growth=8 * _MEBIBYTE)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_kills_leave_nothing_behind(
    alone: Any, payload: Any, until: Callable[..., None]
) -> None:
    nothing_stays(alone, payload, until, kills=10_000, growth=8 * _MEBIBYTE)
