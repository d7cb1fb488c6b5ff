"""The SQLite adapter of the stored views: threads, locks, damage and closing."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from app.application.views import AuditQuery
from app.domain.errors import Stalled, Transient
from app.domain.revisions import Position
from projections.audit_log.stored import StoredAuditLog
from projections.hook_table.stored import StoredHookTable
from projections.sqlite import SQLiteDatabase


@pytest.fixture
def lived(world: Any) -> Any:
    for number in range(90):
        world.do((("create", "sync", "client")[number % 3], number, number))
    return world


def test_many_threads_read_while_one_writes(lived: Any) -> None:
    lived.feed(lived.audit, batch=10)
    problems: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                page = lived.audit.query(AuditQuery(), cursor=None, limit=1000)
                found = [row.position for row in page.items]
                assert found == list(range(len(found), 0, -1))
                lived.hooks.load_table()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(20):
        lived.do(("sync", 0, number))
        lived.feed_all()
    done.set()
    for thread in threads:
        thread.join()

    assert problems == []


def test_a_locked_database_may_be_tried_again(lived: Any) -> None:
    with (
        contextlib.closing(SQLiteDatabase(lived.path, lock_timeout=0.02)) as database,
        contextlib.closing(sqlite3.connect(lived.path, isolation_level=None)) as other,
    ):
        view = StoredAuditLog(database)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Transient, match="locked"):
            view.apply(Position(0), lived.log.select(Position(0), 5))
        other.execute("ROLLBACK")

        assert view.apply(Position(0), lived.log.select(Position(0), 5)) == 5


def test_a_damaged_database_needs_a_person(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    path.write_bytes(b"this is no database, and has never been one" * 100)

    with (
        contextlib.closing(SQLiteDatabase(path)) as database,
        pytest.raises(Stalled, match=r"damaged\.db cannot be used"),
    ):
        StoredHookTable(database)


def test_a_closed_database_says_so(world: Any) -> None:
    world.database.close()

    with pytest.raises(Stalled, match="closed"):
        world.audit.position()
    with pytest.raises(Stalled, match="closed"):
        world.audit.reset()


def test_readers_cannot_write(world: Any) -> None:
    with pytest.raises(Stalled, match="readonly"), world.database.read() as session:
        session.run("DELETE FROM projection_positions")


def test_a_log_that_cannot_be_read_may_be_tried_again(world: Any) -> None:
    with contextlib.closing(sqlite3.connect(world.path)) as other, other:
        other.execute("ALTER TABLE stored_events RENAME TO away")

    with pytest.raises(Transient, match="cannot be read"):
        world.log.select(Position(0), 1)
    with pytest.raises(Transient, match="cannot be read"):
        world.log.head()
