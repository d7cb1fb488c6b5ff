"""The table in memory: replaced whole, never half a transaction, and waited for by position."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from app.application.ports import HookTable
from app.application.views import ActiveTable
from app.domain.errors import Transient
from app.domain.revisions import Position
from projections.hook_table.fold import fold
from projections.hook_table.live import LiveHookTable

Live = Callable[..., LiveHookTable]


@pytest.fixture
def live(story: Any) -> Iterator[Live]:
    """Make live tables of ``story``, stopped in the end."""
    with ExitStack() as stack:

        def live(**options: Any) -> LiveHookTable:
            load = options.pop("load", ActiveTable)
            table = LiveHookTable(story, load, **({"poll": 3600.0} | options))
            stack.callback(table.stop)
            return table

        yield live


def test_it_is_complete_when_start_returns(story: Any, live: Live) -> None:
    story.every_kind()
    table = live(batch=2)

    table.start()

    assert table.table == fold(ActiveTable(), story.recorded)


def test_it_goes_on_from_the_stored_table(story: Any, live: Live) -> None:
    story.hook("A", "first")
    stored = fold(ActiveTable(), story.recorded)
    story.hook("B", "second")
    table = live(load=lambda: stored)

    table.start()

    assert table.table.names == {"first": "A", "second": "B"}
    assert table.table.hooks["A"] is stored.hooks["A"]


def test_an_event_loop_waits_for_a_change(story: Any, live: Live) -> None:
    table = live()
    port: HookTable = table
    table.start()

    async def scenario() -> None:
        waiting = asyncio.ensure_future(port.wait_for(Position(1), 10))
        await asyncio.to_thread(story.hook)
        table.wake()
        assert await waiting
        assert port.table.find_hook("first") is not None

    asyncio.run(scenario())


def test_a_transaction_larger_than_a_batch_appears_at_once(story: Any, live: Live) -> None:
    table = live(batch=10)
    sizes: list[int] = []
    table.on_change(lambda new: sizes.append(len(new.hooks)))
    table.start()
    hooks = [story.hook(f"{n}", f"n{n}") for n in range(25)]
    table.wake()
    assert table.wait(Position(25), 10)
    with story.meta():
        for hook in hooks:
            hook.delete()
        story.save(*hooks)
    table.wake()
    assert table.wait(Position(50), 10)

    assert sizes == [0, 25, 0]


def test_a_change_is_announced_after_the_table_is_in_place(story: Any, live: Live) -> None:
    table = live()
    seen: list[bool] = []
    announced = threading.Event()

    def listener(new: ActiveTable) -> None:
        seen.append(table.table is new)
        if new.hooks:
            announced.set()

    table.on_change(listener)
    table.start()
    story.hook()
    table.wake()

    assert announced.wait(10)
    assert seen == [True, True]


def test_nothing_is_announced_when_nothing_changed(story: Any, live: Live) -> None:
    table = live()
    announced: list[ActiveTable] = []
    table.on_change(announced.append)
    table.start()
    reads = story.reads

    table.wake()
    with story.read:
        assert story.read.wait_for(lambda: story.reads > reads, 10)
    table.stop()

    assert len(announced) == 1


def test_a_listener_that_fails_holds_nothing_up(story: Any, live: Live) -> None:
    table = live()
    table.on_change(lambda _: 1 / 0)  # type: ignore[arg-type]
    table.start()
    story.hook()
    table.wake()

    assert table.wait(Position(1), 10)
    assert table.state().error is None


def test_the_table_stops_right_before_an_event_that_is_not_understood(
    story: Any, live: Live
) -> None:
    story.hook("A", "first")
    table = live()
    table.start()
    with story.meta():
        story.hook("B", "second")
        story.unknown()
    table.wake()

    assert not table.wait(Position(3), 10)
    assert table.table.names == {"first": "A", "second": "B"}
    state = table.state()
    assert (state.failed_position, state.position, state.lag) == (3, 2, 1)


def test_it_starts_with_the_stored_table_when_the_next_event_is_not_understood(
    story: Any, live: Live
) -> None:
    story.hook("A", "first")
    stored = fold(ActiveTable(), story.recorded)
    story.unknown()
    table = live(load=lambda: stored)
    announced: list[ActiveTable] = []
    table.on_change(announced.append)

    table.start()

    assert table.table is stored
    assert announced == [stored]
    assert table.wait(Position(1), 0)
    assert table.state().stopped_by_error


def test_it_starts_with_the_stored_table_while_the_log_cannot_be_read(
    story: Any, live: Live
) -> None:
    story.fail = Transient("The disk is away.")
    table = live()

    table.start(timeout=0.05)

    assert table.table == ActiveTable()
    assert table.state().error == "The disk is away."
