"""The events table refuses everything but appending, whoever opens the file."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventsourcing.persistence import IntegrityError

from app.application.ledger import Ledger
from app.domain.aggregates import Meta, recorded_as
from app.domain.triggers.trigger import Trigger

INSERT = "INTO stored_events (rowid, originator_id, originator_version, topic, state)"


@pytest.fixture
def foreign(path: Path, ledger: Ledger) -> Iterator[sqlite3.Connection]:
    """A plain connection, as any tool would open it, to a store that holds two events."""
    with recorded_as(Meta(actor="alice", origin="cli")):
        ledger.record(Trigger(trigger="a"), Trigger(trigger="b"))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        yield connection


def rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT * FROM stored_events").fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stored_events SET topic = 'hook.deleted'",
        "UPDATE stored_events SET rowid = 9 WHERE rowid = 2",
        "UPDATE OR REPLACE stored_events SET rowid = 1 WHERE rowid = 2",
        "DELETE FROM stored_events",
        "DELETE FROM stored_events WHERE rowid = 2",
        f"INSERT OR REPLACE {INSERT} VALUES (2, 'trigger:b', 1, 't', '{{}}')",
        f"REPLACE {INSERT} VALUES (1, 'trigger:other', 1, 't', '{{}}')",
        f"REPLACE {INSERT} VALUES (3, 'trigger:b', 1, 't', '{{}}')",
        f"REPLACE {INSERT} VALUES (NULL, 'trigger:b', 1, 't', '{{}}')",
        f"INSERT {INSERT} VALUES (NULL, 'trigger:b', 1, 't', '{{}}')",
        f"INSERT {INSERT} VALUES (0, 'trigger:c', 1, 't', '{{}}')",
        f"INSERT {INSERT} VALUES (-5, 'trigger:c', 1, 't', '{{}}')",
        f"INSERT {INSERT} VALUES (3, 'trigger:c', 1, NULL, '{{}}')",
        f"INSERT {INSERT} VALUES (1, 'trigger:b', 1, 't', '{{}}') ON CONFLICT DO UPDATE SET topic='x'",
    ],
)
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_history_cannot_be_changed_by_statement(
    foreign: sqlite3.Connection, statement: str, recursive: str
) -> None:
    before = rows(foreign)
    foreign.execute(f"PRAGMA recursive_triggers={recursive}")

    with pytest.raises(sqlite3.IntegrityError):
        foreign.execute(statement)

    foreign.rollback()
    assert rows(foreign) == before


def test_an_event_cannot_be_slipped_in_below_the_newest(foreign: sqlite3.Connection) -> None:
    foreign.execute(f"INSERT {INSERT} VALUES (10, 'trigger:c', 1, 't', '{{}}')")

    with pytest.raises(sqlite3.IntegrityError, match="only at its end"):
        foreign.execute(f"INSERT {INSERT} VALUES (7, 'trigger:d', 1, 't', '{{}}')")


def test_the_triggers_are_put_back_when_a_store_is_opened(path: Path, ledger: Ledger) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER stored_events_no_delete")
        connection.commit()

        ledger.factory.application_recorder()

        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        assert ("stored_events_no_delete",) in names.fetchall()


def test_the_second_of_two_equal_versions_is_a_conflict_that_records_nothing(
    ledger: Ledger,
) -> None:
    with recorded_as(Meta(actor="alice", origin="cli")):
        ledger.record(Trigger(trigger="a"))
        with pytest.raises(IntegrityError):
            ledger.record(Trigger(trigger="b"), Trigger(trigger="a"))

    assert ledger.head() == 1


def test_positions_have_no_gaps_after_refused_saves(ledger: Ledger) -> None:
    with recorded_as(Meta(actor="alice", origin="cli")):
        for name in ("a", "b", "c"):
            ledger.record(Trigger(trigger=name))
            with pytest.raises(IntegrityError):
                ledger.record(Trigger(trigger=f"{name}-too"), Trigger(trigger=name))

    assert [n.id for n in ledger.recorder.select_notifications(None, 10)] == [1, 2, 3]
