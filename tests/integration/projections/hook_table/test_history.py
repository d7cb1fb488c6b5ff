"""The table as of any position: equal to a replay, near a snapshot, without secrets."""

from __future__ import annotations

import itertools
import sqlite3
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from app.application.views import ActiveTable, HookRow
from app.domain.revisions import Position
from projections.hook_table import snapshots as table_snapshots
from projections.hook_table.fold import fold
from projections.hook_table.history import REMEMBERED, TableHistory
from projections.rebuild import rebuild

VERBS = ("create", "enable", "secret", "change", "sync", "client", "rename", "disable")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_snapshots, "INTERVAL", 10)


@pytest.fixture
def lived(world: Any) -> Any:
    for number in range(130):
        world.do((VERBS[number % len(VERBS)], number // 5 % 4, number))
        if number % 3 == 0:
            world.feed(world.hooks)
    world.do(("delete", 1, 1))
    world.do(("sync", 2, 500))
    world.feed_all()
    return world


def stored(world: Any, sql: str) -> list[Any]:
    with closing(sqlite3.connect(world.path)) as connection:
        return connection.execute(sql.format(p=f"{world.hooks.name}_g1")).fetchall()


def bare(row: HookRow) -> HookRow:
    secrets = {name: replace(secret, ciphertext="") for name, secret in row.secrets.items()}
    return structs.replace(row, secrets=secrets)


def test_every_past_table_equals_a_replay(lived: Any) -> None:
    history = TableHistory(lived.hooks, lived.log)
    recorded = lived.log.select(Position(0), 10_000)
    assert history.newest() == recorded[-1].position
    for count in range(1, len(recorded) + 1):
        expected = fold(ActiveTable(), recorded[:count])
        found = history.as_of(recorded[count - 1].position)
        assert found.position == expected.position
        assert found.hooks == {row.id: bare(row) for row in expected.hooks.values()}
        # While two hooks swap their names, both bear one.
        assert found.names.keys() == {row.name for row in expected.hooks.values()}
        assert all(found.hooks[found.names[name]].name == name for name in found.names)
        for rows in ("triggers", "clients", "sources", "tokens"):
            assert getattr(found, rows) == getattr(expected, rows)


def test_looking_back_replays_no_more_than_an_interval(lived: Any) -> None:
    asked: list[int] = []

    class Counting:
        def select(self, after: Position, limit: int) -> Any:
            found = lived.log.select(after, limit)
            asked.append(len(found))
            return found

        def head(self) -> Position:
            return Position(lived.log.head())

    history = TableHistory(lived.hooks, Counting())
    head = lived.log.head()
    assert head > 100
    for position in range(1, head + 1):
        asked.clear()
        history.as_of(Position(position))
        # The interval, and the rest of the batch in which it passed.
        assert sum(asked) <= 10 + 12
    asked.clear()
    history.as_of(Position(head - REMEMBERED + 1))
    assert asked == []


def test_snapshots_hold_each_script_once_and_no_secret(lived: Any) -> None:
    snapshots = stored(lived, "SELECT position, content FROM {p}_snapshots")
    assert len(snapshots) > 5
    scripts = stored(lived, "SELECT digest FROM {p}_scripts")
    assert len(scripts) == len(set(scripts)) > 1
    unpacked = b"".join(zlib.decompress(content) for _, content in snapshots)
    assert b"S1" in unpacked
    assert b"sealed" not in unpacked
    assert b"sealed" not in repr(TableHistory(lived.hooks, lived.log).as_of(Position(60))).encode()


def test_the_larger_the_table_the_rarer_are_snapshots(world: Any) -> None:
    """Else they would outgrow the events themselves."""
    with world.by("alice"):
        for number in range(60):
            world.create_hook(number)
        world.feed(world.hooks, batch=1)
    positions = [row[0] for row in stored(world, "SELECT position FROM {p}_snapshots ORDER BY 1")]
    gaps = [after - before for before, after in itertools.pairwise(positions)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 2 * gaps[0]


def test_a_rebuild_makes_the_snapshots_again(lived: Any) -> None:
    before = TableHistory(lived.hooks, lived.log).as_of(Position(70))

    for _ in rebuild([lived.hooks], lived.log, batch=7, group=7):
        pass

    with closing(sqlite3.connect(lived.path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert f"{lived.hooks.name}_g2_snapshots" in tables
    assert not [name for name in tables if name.startswith(f"{lived.hooks.name}_g1_")]
    assert lived.hooks.nearest_snapshot(Position(70)).position > 40
    assert TableHistory(lived.hooks, lived.log).as_of(Position(70)) == before


def test_snapshots_are_looked_up(lived: Any) -> None:
    plan = stored(
        lived,
        f"EXPLAIN QUERY PLAN {table_snapshots._NEAREST}".replace("?", "60").replace(
            "{snapshots}", "{p}_snapshots"
        ),
    )
    assert len(plan) == 1
    assert "SEARCH" in plan[0][3]


def test_before_the_first_snapshot_everything_is_replayed(tmp_path: Path, make_world: Any) -> None:
    with closing(make_world(tmp_path / "x.db")) as world:
        with world.by("alice"):
            world.create_hook(1)
        world.feed_all()
        table = TableHistory(world.hooks, world.log).as_of(Position(1))
        assert [row.name for row in table.hooks.values()] == ["hook-1"]
