"""Keeping in step: comparing at intervals and when times come, hinting at decisions of people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from app.application.acts import Act, HeldPlan
from app.application.syncing.keep_in_step import StepKeeper
from app.application.syncing.results import SourceSettings
from app.application.views import ActiveTable, SourceRow
from app.domain.revisions import Position

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADA = Act("cli:ada", NOW, "because")
ROW = SourceRow(
    id="default",
    location="/srv/x",
    branch="main",
    path="",
    applied="a" * 40,
    tree="b" * 40,
    applied_at=NOW,
    rejected=None,
    rejected_at=None,
    problems=(),
    position=Position(5),
)


@dataclass
class World:
    row: SourceRow = ROW
    now: datetime = NOW
    done: list[str] = field(default_factory=list)
    keeper: Any = None
    breaks: bool = False

    @property
    def table(self) -> ActiveTable:
        return ActiveTable(sources={"default": self.row})

    async def wait_for(self, position: Position, timeout: float) -> bool:
        return True

    async def compare(self) -> None:
        self.done.append("compare")
        if self.breaks:
            raise ValueError("nobody foresaw this")

    def hint(self) -> None:
        self.done.append("hint")

    def clock(self) -> datetime:
        return self.now


def happens(steps: Callable[[World], list[Callable[[], None]]]) -> list[str]:
    """Run a keeper, and do one step after the other each time it has come to rest."""
    world = World()

    async def scene() -> None:
        world.keeper = StepKeeper(
            SourceSettings("default", "/srv/x", "main", ""),
            world,
            compare=world.compare,
            hint=world.hint,
            clock=world.clock,
        )
        running = asyncio.get_running_loop().create_task(world.keeper.run())
        for step in steps(world):
            await rest()
            step()
            world.keeper.changed.set()
        await rest()
        running.cancel()

    async def rest() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    asyncio.run(scene())
    return world.done


def becomes(world: World, **members: Any) -> Callable[[], None]:
    def change() -> None:
        world.row = structs.replace(world.row, **members)

    return change


def passes(world: World, **span: float) -> Callable[[], None]:
    def pass_by() -> None:
        world.now += timedelta(**span)

    return pass_by


def test_nothing_is_done_while_nothing_happens() -> None:
    assert happens(lambda w: [passes(w, minutes=1), becomes(w, position=Position(6))]) == []


def test_the_table_is_compared_at_intervals() -> None:
    steps = happens(lambda w: [passes(w, minutes=5), passes(w, minutes=4), passes(w, minutes=1)])
    assert steps == ["compare", "compare"]


def test_a_comparison_that_breaks_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    def steps(world: World) -> list[Callable[[], None]]:
        world.breaks = True
        return [passes(world, minutes=5), passes(world, minutes=5)]

    assert happens(steps) == ["compare", "compare"]
    assert [record.message for record in caplog.records] == ["comparison_failed"] * 2


def test_a_resumed_source_is_synced_at_once() -> None:
    done = happens(lambda w: [becomes(w, suspension=ADA), becomes(w, suspension=None)])
    assert done == ["hint", "hint"]


def test_an_approval_by_another_process_is_acted_on_once() -> None:
    held = HeldPlan("c" * 40, "d" * 64, {}, (), (), NOW)
    approved = replace(held, approval=ADA)
    done = happens(
        lambda w: [
            becomes(w, held=held),
            becomes(w, held=approved),
            becomes(w, position=Position(9)),
        ]
    )
    assert done == ["hint"]


def test_a_window_that_opens_calls_for_a_sync_once() -> None:
    opening = (NOW + timedelta(minutes=2)).isoformat()
    hold = {"guard": "window", "message": "closed", "until": opening}
    held = HeldPlan("c" * 40, "d" * 64, {}, (), (hold,), NOW)
    done = happens(
        lambda w: [
            becomes(w, held=held),
            passes(w, minutes=1),
            passes(w, minutes=1),
            passes(w, minutes=1),
        ]
    )
    assert done == ["compare", "hint"]


def test_what_ended_while_no_server_ran_is_seen_to_at_the_start() -> None:
    ended = replace(ADA, until=NOW - timedelta(days=1))
    done = happens(lambda w: [becomes(w, suspension=ended), passes(w, seconds=1)])
    assert done[:1] in (["compare"], ["hint"])
    assert done.count("compare") <= 1
