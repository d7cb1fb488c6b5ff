"""The generated history is one that the server could have written itself."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from app.application.ledger import Ledger
from app.application.views import ActiveTable
from app.domain.aggregates import Root
from app.domain.revisions import Position
from app.eventstore.mapper import EVENTS
from app.eventstore.sqlite import sqlite_environment
from projections.event_log import StoredEventLog
from projections.hook_table.fold import fold
from tests.benchmarks.event_log import generate

EVENTS_MADE = 3000


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "events.db"
    generate(path, EVENTS_MADE, hooks=60)
    return path


def rows(path: Path) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM stored_events ORDER BY rowid").fetchall()


def test_it_has_the_number_of_events_that_was_asked_for(database: Path) -> None:
    assert [row[0] for row in rows(database)] == list(range(1, EVENTS_MADE + 1))


def test_projections_and_aggregates_take_it_in(database: Path) -> None:
    with contextlib.closing(Ledger(sqlite_environment(database))) as ledger:
        recorded = StoredEventLog(ledger.recorder, ledger.mapper).select(
            Position(0), 2 * EVENTS_MADE
        )
        table = fold(ActiveTable(), recorded)
        for stream in {fact.stream for fact in recorded}:
            assert ledger.find(Root, stream) is not None

    assert 50 <= len(table.hooks) <= 70
    enabled = [hook for hook in table.hooks.values() if hook.enabled]
    assert {hook.id for hook in enabled} == {h for t in table.triggers.values() for h in t.hooks}
    # What is missing are rare acts of people: approvals, suspensions, rollbacks.
    assert len({fact.topic for fact in recorded}) >= len(EVENTS) - 12


def test_the_same_arguments_give_the_same_bytes(database: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.db", tmp_path / "other.db"
    generate(again, EVENTS_MADE, hooks=60)
    generate(other, 500, hooks=60, seed=2)

    assert rows(again) == rows(database)
    assert rows(other) != rows(database)[:500]


def test_a_store_that_exists_is_left_alone(database: Path) -> None:
    with pytest.raises(FileExistsError):
        generate(database, 1)
