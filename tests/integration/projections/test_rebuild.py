"""A rebuild yields the same rows as following did, and nobody sees it half done."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.application.views import ActiveTable, AuditQuery
from app.domain.aggregates import Meta, recorded_as
from app.domain.callers.client import Client
from app.domain.errors import Conflict
from app.domain.hooks.hook import Hook
from app.domain.revisions import Position
from app.domain.triggers.trigger import Trigger
from projections.event_log import PoisonEvent
from projections.hook_table.fold import fold
from projections.rebuild import Progress, rebuild

Contents = Callable[[Any], dict[str, list[tuple[Any, ...]]]]

HISTORY = [
    *(("create", number, number) for number in range(4)),
    *(("enable", number, number) for number in range(4)),
    ("secret", 1, 1),
    ("change", 1, 2),
    ("rename", 1, 2),
    ("sync", 0, 1),
    ("sync", 1, 2),
    ("client", 0, 0),
    ("client", 0, 1),
    ("delete", 3, 1),
    ("disable", 2, 0),
]


def tables_in(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


@pytest.fixture
def lived(world: Any) -> Any:
    """A world with a history, its views fed."""
    for command in HISTORY:
        world.do(command)
        world.feed_all()
    return world


def replay(world: Any, batch: int = 4) -> list[Progress]:
    return list(rebuild(world.views, world.log, batch=batch, group=2 * batch))


def commands(verbs: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, int, int]]]:
    command = st.tuples(st.sampled_from(verbs), st.integers(0, 3), st.integers(0, 8))
    return st.lists(command, min_size=1, max_size=40)


def test_rebuilt_views_equal_followed_ones_whatever_happened(
    tmp_path_factory: pytest.TempPathFactory,
    make_world: Callable[[Path], Any],
    verbs: tuple[str, ...],
    contents: Contents,
) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(history=commands(verbs), batches=st.lists(st.integers(1, 9), min_size=1, max_size=5))
    def check(history: list[tuple[str, int, int]], batches: list[int]) -> None:
        path = tmp_path_factory.mktemp("history") / "hookledger.db"
        with contextlib.closing(make_world(path)) as world:
            for number, command in enumerate(history):
                world.do(command)
                if number % batches[0] == 0:
                    for view in world.views:
                        world.feed(view, batches[number % len(batches)])
            world.feed_all()
            followed = contents(world)

            replay(world, batches[-1])

            assert contents(world) == followed
            check_against_aggregates(world)

    check()


def check_against_aggregates(world: Any) -> None:
    """Compare the table with what the aggregates themselves say."""
    table = world.hooks.load_table()
    assert table == fold(ActiveTable(), world.log.select(Position(0), 10_000))
    streams = {fact.stream for fact in world.log.select(Position(0), 10_000)}
    enabled = {
        hook_id
        for stream in streams
        if stream.startswith("trigger:")
        for hook_id in world.ledger.find(Trigger, stream).enabled
    }
    hooks = [world.ledger.find(Hook, stream) for stream in streams if stream.startswith("hook:")]
    present = {hook.public_id: hook for hook in hooks if not hook.deleted}
    assert table.hooks.keys() == present.keys()
    for hook_id, row in table.hooks.items():
        hook = present[hook_id]
        for member in ("name", "trigger", "owner", "path", "language", "script", "digest"):
            assert getattr(row, member) == getattr(hook, member)
        assert (row.dependencies, row.settings) == (hook.dependencies, hook.settings)
        assert {name: secret.key_id for name, secret in row.secrets.items()} == hook.secrets
        assert row.enabled == (hook_id in enabled)
        assert table.names[row.name] == hook_id


def test_progress_goes_from_nothing_to_everything(lived: Any) -> None:
    head = lived.ledger.head()

    steps = replay(lived, batch=10)

    replayed = [step.done for step in steps if step.stage == "Replaying events"]
    assert replayed == [0, *range(19, head, 20), head]
    assert {step.total for step in steps} == {head}
    assert {step.done for step in steps if step.stage == "Making indexes"} == {head}


def test_damaged_rows_are_put_right(lived: Any, contents: Contents) -> None:
    before = contents(lived)
    with contextlib.closing(sqlite3.connect(lived.path)) as other, other:
        other.execute(f"DELETE FROM {lived.hooks.name}_g1_hooks")
        other.execute(f"UPDATE {lived.audit.name}_g1_events SET actor = 'nobody'")
    assert contents(lived) != before

    replay(lived)

    assert contents(lived) == before


def test_readers_see_the_old_view_until_the_switch(lived: Any) -> None:
    before = lived.hooks.load_table()
    steps = rebuild([lived.hooks], lived.log, group=1)

    for _ in zip(range(5), steps, strict=False):
        assert lived.hooks.load_table() == before
        assert lived.hooks.position() == lived.ledger.head()
    steps.close()


def test_all_views_are_switched_at_once(lived: Any) -> None:
    """Who reads two views never finds one made anew and the other not."""
    positions = "SELECT name, generation FROM projection_positions"
    seen = set()
    with contextlib.closing(sqlite3.connect(lived.path)) as other:
        for _ in rebuild(lived.views, lived.log, group=4):
            seen.add(tuple(sorted(other.execute(positions).fetchall())))
        after = dict(other.execute(positions).fetchall())
    assert seen == {tuple(sorted((view.name, 1) for view in lived.views))}
    assert set(after.values()) == {2}


def test_events_that_arrive_meanwhile_are_not_lost(lived: Any, contents: Contents) -> None:
    for number, _ in enumerate(rebuild(lived.views, lived.log, group=5)):
        if number < 10:
            lived.do(("sync", 1, number + 50))
            lived.feed_all()

    assert lived.audit.position() == lived.ledger.head()
    followed = contents(lived)
    replay(lived)
    assert contents(lived) == followed


def test_a_follower_goes_on_after_the_switch(lived: Any) -> None:
    after = lived.ledger.head()
    replay(lived)
    lived.do(("sync", 1, 77))

    recorded = lived.log.select(after, 10)

    assert lived.audit.apply(after, recorded) == lived.ledger.head()
    (newest,) = lived.audit.query(AuditQuery(), cursor=None, limit=1).items
    assert newest.type == "source.revision_rejected"


def test_an_interrupted_rebuild_leaves_the_view_and_no_rubbish(
    lived: Any, contents: Contents
) -> None:
    before, tables = contents(lived), tables_in(lived.path)
    steps = rebuild(lived.views, lived.log, group=3)
    next(steps)
    next(steps)

    steps.close()

    assert contents(lived) == before
    assert tables_in(lived.path) == tables


def test_a_rebuild_cut_off_by_a_crash_is_swept_by_the_next(lived: Any) -> None:
    before = len(tables_in(lived.path))
    with lived.database.write() as session:
        tables = lived.audit.begin_rebuild(session)
        writes = lived.audit.replay(tables).take(lived.log.select(Position(0), 5))
        lived.audit.apply_to_rebuild(session, tables, writes, Position(5))

    replay(lived)
    replay(lived)

    assert len(tables_in(lived.path)) == before


def test_the_later_of_two_rebuilds_wins(lived: Any, contents: Contents) -> None:
    before = contents(lived)
    earlier = rebuild(lived.views, lived.log, group=3)
    next(earlier)
    next(earlier)
    later = rebuild(lived.views, lived.log, group=3)
    next(later)

    with pytest.raises(Conflict, match="Another rebuild"):
        list(earlier)
    list(later)

    assert contents(lived) == before


def test_a_rebuild_stops_at_an_event_nobody_understands(lived: Any, contents: Contents) -> None:
    before = contents(lived)["hooks"]
    with contextlib.closing(sqlite3.connect(lived.path)) as other, other:
        other.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) "
            "VALUES ('hook:new', 1, 'hook.sharded', '{}')"
        )

    with pytest.raises(PoisonEvent):
        list(rebuild(lived.views, lived.log))

    assert contents(lived)["hooks"] == before


def test_an_empty_log_can_be_rebuilt(world: Any) -> None:
    assert {step.total for step in replay(world)} == {0}
    assert world.hooks.load_table() == ActiveTable()


def test_a_reset_view_is_empty_and_can_be_fed_again(lived: Any, contents: Contents) -> None:
    before = contents(lived)

    for view in lived.views:
        view.reset()
    assert lived.hooks.load_table() == ActiveTable()
    assert lived.audit.query(AuditQuery(), cursor=None, limit=5).items == ()

    lived.feed_all()
    assert contents(lived) == before


def test_a_row_is_written_in_one_way_only(world: Any, contents: Contents) -> None:
    """A set has no order of its own; with nine members, chance would seldom sort them."""
    scopes = [f"scope:{letter}" for letter in "hbdaegcif"]
    with recorded_as(Meta(actor="test", origin="system")):
        client = Client._create(
            Client.Created,
            id=Client.create_id("C"),
            name="many",
            scopes=scopes,
            secret_hash="s",
            token_hash="t",
        )
        world.ledger.save(client)
    world.feed_all()
    (row,) = contents(world)["clients"]
    assert json.loads(row[-1])["scopes"] == sorted(scopes)
