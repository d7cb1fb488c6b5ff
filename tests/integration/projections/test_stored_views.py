"""Stored views: rows and position are one, whoever feeds them and whatever interrupts them."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.application.ports import AuditLog
from app.application.views import ActiveTable, AuditQuery
from app.domain.errors import Stalled
from app.domain.revisions import Position
from projections.event_log import PoisonEvent
from projections.hook_table.fold import fold

EVERYTHING = AuditQuery()

FEEDER = """
    import sys
    from app.application.ledger import Ledger
    from app.eventstore.sqlite import sqlite_environment
    from projections.event_log import StoredEventLog
    from projections.sqlite import SQLiteDatabase
    from projections.audit_log.stored import StoredAuditLog
    from projections.hook_table.stored import StoredHookTable

    path, batch, goal = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    ledger = Ledger(sqlite_environment(path))
    log = StoredEventLog(ledger.recorder, ledger.mapper)
    database = SQLiteDatabase(path)
    views = (StoredHookTable(database), StoredAuditLog(database))
    print("ready", flush=True)
    while min(view.position() for view in views) < goal:
        for view in views:
            position = view.position()
            if recorded := log.select(position, batch):
                view.apply(position, recorded)
    database.close()
    ledger.close()
"""


def feeder(path: Path, batch: int, goal: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(FEEDER), str(path), str(batch), str(goal)],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    )


def a_history(world: Any, length: int = 100) -> None:
    """Make a history in which every kind of command comes up."""
    verbs = (
        "create",
        "enable",
        "change",
        "secret",
        "sync",
        "client",
        "disable",
        "rename",
        "delete",
    )
    for number in range(length):
        world.do((verbs[number % len(verbs)], number // 9 % 5, number))


def everything(world: Any) -> list[int]:
    positions: list[int] = []
    cursor = None
    while True:
        page = world.audit.query(EVERYTHING, cursor=cursor, limit=1000)
        positions += [row.position for row in page.items]
        if (cursor := page.next) is None:
            return positions[::-1]


def test_the_stored_table_is_the_folded_one(world: Any) -> None:
    a_history(world)
    world.feed(world.hooks, batch=3)

    stored = world.hooks.load_table()

    assert stored == fold(ActiveTable(), world.log.select(Position(0), 1000))
    assert stored.position == world.ledger.head()


def test_the_audit_log_holds_every_event_once_newest_first(world: Any) -> None:
    a_history(world)
    world.feed(world.audit, batch=7)
    log: AuditLog = world.audit

    page = log.query(EVERYTHING, cursor=None, limit=10)

    assert [row.position for row in page.items] == list(
        range(world.ledger.head(), world.ledger.head() - 10, -1)
    )
    assert everything(world) == list(range(1, world.ledger.head() + 1))


def test_a_batch_offered_again_changes_nothing(world: Any, contents: Callable[..., Any]) -> None:
    a_history(world, 30)
    recorded = world.log.select(Position(0), 1000)
    for view in world.views:
        view.apply(Position(0), recorded)
    before = contents(world)

    for view in world.views:
        assert view.apply(Position(0), recorded[:5]) == world.ledger.head()
        assert view.apply(Position(0), recorded) == world.ledger.head()

    assert contents(world) == before


def test_an_overlapping_batch_takes_effect_from_where_the_view_is(world: Any) -> None:
    a_history(world, 30)
    recorded = world.log.select(Position(0), 1000)

    world.audit.apply(Position(0), recorded[:7])
    world.audit.apply(Position(3), recorded[3:])

    assert everything(world) == [fact.position for fact in recorded]


def test_events_are_never_skipped_after_somebody_reset_the_view(world: Any) -> None:
    a_history(world, 30)
    world.feed(world.audit)
    world.audit.reset()

    # A follower of another process does not know, and goes on from where it was.
    position = world.audit.apply(Position(10), world.log.select(Position(10), 5))

    assert position == 0
    world.feed(world.audit)
    assert everything(world) == list(range(1, world.ledger.head() + 1))


def test_two_processes_feed_the_same_views_and_every_event_counts_once(world: Any) -> None:
    a_history(world, 60)
    goal = world.ledger.head() + 50
    feeders = [feeder(world.path, batch, goal) for batch in (3, 5)]
    for process in feeders:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    while world.ledger.head() < goal:
        a_history(world, 20)

    for process in feeders:
        assert process.wait(60) == 0
        assert process.stdout is not None
        process.stdout.close()
    world.feed_all()
    assert everything(world) == list(range(1, world.ledger.head() + 1))
    assert world.hooks.load_table() == fold(ActiveTable(), world.log.select(Position(0), 1000))


def test_a_feeder_killed_at_any_instant_leaves_rows_and_position_together(world: Any) -> None:
    a_history(world, 200)
    for _ in range(5):
        process = feeder(world.path, 1, 10**9)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        start, tick = world.audit.position(), threading.Event()
        while world.audit.position() < min(start + 10, world.ledger.head()):
            tick.wait(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()

        assert everything(world) == list(range(1, world.audit.position() + 1))

    world.feed_all()
    assert everything(world) == list(range(1, world.ledger.head() + 1))
    assert world.hooks.load_table() == fold(ActiveTable(), world.log.select(Position(0), 1000))


def test_a_batch_that_fails_in_the_middle_leaves_no_trace(world: Any) -> None:
    a_history(world, 30)
    table = f"{world.audit.name}_g1_events"
    with contextlib.closing(sqlite3.connect(world.path)) as other:
        other.execute(
            f"CREATE TRIGGER boom BEFORE INSERT ON {table} WHEN NEW.position = 9 "
            "BEGIN SELECT RAISE(ABORT, 'boom'); END"
        )
        with pytest.raises(Stalled, match="boom"):
            world.feed(world.audit, batch=500)
        assert (world.audit.position(), everything(world)) == (0, [])

        other.execute("DROP TRIGGER boom")
        world.feed(world.audit)

    assert everything(world) == list(range(1, world.ledger.head() + 1))


def test_an_event_not_understood_stops_the_hook_table_and_shows_in_the_audit_log(
    world: Any,
) -> None:
    a_history(world, 10)
    world.feed_all()
    before = world.hooks.load_table()
    with contextlib.closing(sqlite3.connect(world.path)) as other, other:
        other.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) "
            "VALUES ('hook:new', 1, 'hook.sharded', '{\"meta\": {\"actor\": \"bob\"}}')"
        )

    with pytest.raises(PoisonEvent, match=r"hook\.sharded"):
        world.feed(world.hooks)
    world.feed(world.audit)

    assert world.hooks.load_table() == before
    (newest,) = world.audit.query(EVERYTHING, cursor=None, limit=1).items
    assert (newest.type, newest.actor, newest.hook) == ("hook.sharded", "bob", "new")


def test_views_opened_again_go_on_where_they_were(world: Any, make_world: Any) -> None:
    a_history(world, 30)
    world.feed_all()

    with contextlib.closing(make_world(world.path)) as again:
        assert [view.position() for view in again.views] == [world.ledger.head()] * 3
        a_history(again, 20)
        again.feed_all()
        assert everything(again) == list(range(1, again.ledger.head() + 1))
