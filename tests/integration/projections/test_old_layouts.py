"""Tables of layouts that are no more: they go in small steps, and nothing else does."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.application.views import AuditQuery
from projections import old_layouts
from projections.old_layouts import remove_old_layouts

ROWS = 1_200

# As the first layouts had them.
OLD = """
CREATE TABLE audit_log_v1_g2_events (position INTEGER PRIMARY KEY, at TEXT NOT NULL, data TEXT);
CREATE INDEX audit_log_v1_g2_events_by_at ON audit_log_v1_g2_events (at, position);
CREATE VIRTUAL TABLE audit_log_v1_g2_events_words USING fts5(text, content='');
CREATE TABLE audit_log_v1_g2_labels (hook TEXT PRIMARY KEY, name TEXT);
CREATE TABLE audit_log_v1_g2_marks (field TEXT, chunk BIGINT, positions BLOB,
    PRIMARY KEY (field, chunk)) WITHOUT ROWID;
CREATE TABLE hook_table_v1_g1_hooks (id TEXT PRIMARY KEY, content TEXT NOT NULL);
INSERT INTO projection_positions VALUES ('audit_log_v1', 2, 4, 0, 0), ('hook_table_v1', 1, 4, 0, 0);
"""


def written(connection: sqlite3.Connection) -> None:
    connection.executescript(OLD)
    rows = [(number, f"2026-01-{number % 28 + 1:02}", "{}" * 50) for number in range(1, ROWS + 1)]
    with connection:
        connection.executemany("INSERT INTO audit_log_v1_g2_events VALUES (?, ?, ?)", rows)
        connection.executemany(
            "INSERT INTO audit_log_v1_g2_events_words (rowid, text) VALUES (?, ?)",
            [(number, f"hook created by person{number}") for number in range(1, ROWS + 1)],
        )
        connection.executemany(
            "INSERT INTO audit_log_v1_g2_marks VALUES (?, ?, x'00')",
            [("type", number) for number in range(ROWS)],
        )
        connection.execute("INSERT INTO hook_table_v1_g1_hooks VALUES ('01J', '{}')")


@pytest.fixture
def upgraded(world: Any) -> Any:
    """A world whose views have caught up, beside what older ones left."""
    for number in range(4):
        world.do(("create", number, number))
    world.feed_all()
    with contextlib.closing(sqlite3.connect(world.path)) as connection:
        written(connection)
    return world


def objects_in(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        known = connection.execute("SELECT name FROM projection_positions")
        return names | {f"position of {name}" for (name,) in known}


def removing(world: Any) -> Iterator[float]:
    return remove_old_layouts(world.database, world.views)


def test_every_trace_of_older_layouts_goes_and_the_views_stay(upgraded: Any) -> None:
    before = objects_in(upgraded.path)
    list(removing(upgraded))
    after = objects_in(upgraded.path)
    assert not [name for name in after if "_v1_" in name and "transparency" not in name]
    assert {"audit_log_v1", "hook_table_v1"} >= {
        name.removeprefix("sqlite_autoindex_").removeprefix("position of ").partition("_g")[0]
        for name in before - after
    }
    assert {"position of audit_log_v2", "position of hook_table_v2"} <= after
    assert len(upgraded.audit.query(AuditQuery(), cursor=None, limit=50).items) > 0
    assert list(removing(upgraded)) == []
    with contextlib.closing(sqlite3.connect(upgraded.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_no_step_takes_more_than_a_few_rows_and_between_them_others_write(upgraded: Any) -> None:
    steps = 0
    with contextlib.closing(sqlite3.connect(upgraded.path, timeout=0)) as other:
        left = ROWS
        for pause in removing(upgraded):
            steps += 1
            assert 0 < pause <= old_layouts.PAUSE
            other.execute("BEGIN IMMEDIATE")  # refused at once if a step kept the lock
            tables = {name for (name,) in other.execute("SELECT name FROM sqlite_master")}
            if "audit_log_v1_g2_events" in tables:
                now = other.execute("SELECT count(*) FROM audit_log_v1_g2_events").fetchone()[0]
                assert left - now <= old_layouts.ROWS
                left = now
            other.execute("ROLLBACK")
    assert left == 0
    assert steps > 2 * (ROWS // old_layouts.ROWS)


def test_a_view_that_lacks_what_the_old_one_had_is_waited_for(upgraded: Any) -> None:
    upgraded.audit.reset()
    steps = removing(upgraded)
    while (pause := next(steps)) != old_layouts.PAUSE_BEHIND:
        assert pause == old_layouts.PAUSE
    assert "audit_log_v1_g2_events" in objects_in(upgraded.path)
    upgraded.feed(upgraded.audit)
    list(steps)
    assert "audit_log_v1_g2_events" not in objects_in(upgraded.path)


def test_a_removal_that_was_broken_off_is_finished_by_the_next(upgraded: Any) -> None:
    for number in range(3, 8):
        steps = removing(upgraded)
        for _ in range(number):
            next(steps, None)
        steps.close()  # type: ignore[attr-defined]
    list(removing(upgraded))
    assert not [name for name in objects_in(upgraded.path) if "audit_log_v1" in name]


def test_what_a_newer_server_left_and_what_is_nobodys_stays(upgraded: Any) -> None:
    with contextlib.closing(sqlite3.connect(upgraded.path)) as connection, connection:
        for name in ("audit_log_v99_g1_events", "audit_log_vx_g1_events", "my_audit_log_v1_g1_x"):
            connection.execute(f"CREATE TABLE {name} (id INTEGER)")
        connection.execute("INSERT INTO projection_positions (name) VALUES ('audit_log_v99')")
    list(removing(upgraded))
    assert {
        "audit_log_v99_g1_events",
        "audit_log_vx_g1_events",
        "my_audit_log_v1_g1_x",
        "position of audit_log_v99",
    } <= objects_in(upgraded.path)
