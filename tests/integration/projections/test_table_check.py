"""Whoever changes the tables made of the events, and not the events, is found out too."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

import pytest

from app.domain.errors import Stalled
from app.domain.revisions import Position
from projections.hook_table import snapshots as table_snapshots
from projections.rebuild import rebuild
from projections.table_check import check_tables

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
    ("change", 2, 4),
]


@pytest.fixture
def lived(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A world with a history, its views fed, and a table of the past kept now and then."""
    monkeypatch.setattr(table_snapshots, "INTERVAL", 5)
    for command in HISTORY:
        world.do(command)
        world.feed_all()
    return world


def tamper(world: Any, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(world.path)) as connection, connection:
        for statement in statements:
            connection.execute(statement.replace("{h}", f"{world.hooks.name}_g1_")
                                        .replace("{a}", f"{world.audit.name}_g1_"))  # fmt: skip


def test_tables_that_nobody_touched_say_what_the_events_say(lived: Any) -> None:
    told: list[int] = []
    before = lived.path.read_bytes()

    assert check_tables(lived.path, lived.log, told.append) == []

    assert told == sorted(told)
    assert told[-1] == lived.ledger.head()
    assert lived.path.read_bytes() == before


def test_tables_that_are_behind_are_compared_as_far_as_they_are(lived: Any) -> None:
    lived.do(("create", 3, 3))
    lived.feed(lived.audit)
    assert check_tables(lived.path, lived.log) == []


def test_rebuilt_tables_are_compared_alike(lived: Any) -> None:
    list(rebuild(lived.views, lived.log))
    assert check_tables(lived.path, lived.log) == []


ATTACKS = {
    "another script runs": (
        "UPDATE {h}hooks SET content = replace(content, '# 0', 'evil') WHERE name = 'hook-0'",
        "the hook `hook-0` differs (script)",
    ),
    "a hook was added": (
        "INSERT INTO {h}hooks SELECT 'X', name, \"trigger\", owner, content FROM {h}hooks LIMIT 1",
        "the hook `X` is one too many",
    ),
    "a hook is gone": ("DELETE FROM {h}hooks WHERE name = 'hook-0'", "D20000` is missing"),
    "a trigger runs another hook": (
        "UPDATE {h}triggers SET content = replace(content, 'D2000', 'D2999')",
        "the trigger",
    ),
    "a client may do more": (
        "UPDATE {h}clients SET content = replace(content, 'read:audit', 'write:hooks')",
        "the client `client 0` differs (scopes)",
    ),
    "a row is no row": ("UPDATE {h}hooks SET content = '{'", "it cannot be read (DecodeError)"),
    "the past had another script": (
        "UPDATE {h}scripts SET content = (SELECT content FROM {h}scripts ORDER BY digest LIMIT 1)",
        "The hooks as of position",
    ),
    "a table of the past is from elsewhere": (
        (
            "UPDATE {h}snapshots SET content = (SELECT content FROM {h}snapshots ORDER BY position)"
            " WHERE position = (SELECT max(position) FROM {h}snapshots)"
        ),
        "The hooks as of position",
    ),
    "a table of the past is of the future": (
        "INSERT INTO {h}snapshots SELECT 1000, content FROM {h}snapshots LIMIT 1",
        "as of position 1000, which was not reached",
    ),
    "coming events would be missed": (
        "UPDATE projection_positions SET position = 1000 WHERE name LIKE 'audit%'",
        "claims to be at event 1000",
    ),
    "another did it": (
        "UPDATE {a}events SET actor = 'nobody' WHERE position = 3",
        "event 3 differs (actor)",
    ),
    "an event is hidden": ("DELETE FROM {a}events WHERE position = 3", "event 3 is missing"),
    "the last event is hidden": (
        "DELETE FROM {a}events WHERE position = (SELECT max(position) FROM {a}events)",
        "is missing",
    ),
    "an event was invented": (
        (
            "INSERT INTO {a}events SELECT position + 1000, at, type, actor, origin, subject, hook,"
            " hook_name, trigger_id, source, commit_sha, correlation_id, reason, data, signer"
            " FROM {a}events WHERE position = 3"
        ),
        "there is no event 1003",
    ),
    "a filter does not find it": ("DELETE FROM {a}marks WHERE field = 'actor'", "filters go by"),
    "a count is too low": ("UPDATE {a}days SET number = number - 1", "its counts"),
    "a name leads elsewhere": ("UPDATE {a}labels SET name = 'x'", "names of hooks"),
    "words find another event": (
        "INSERT INTO {a}events_0_words (rowid, text) VALUES (3, 'invented')",
        "index of words",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_was_changed_is_told(lived: Any, attack: str) -> None:
    statement, told = ATTACKS[attack]
    tamper(lived, statement)
    found = check_tables(lived.path, lived.log)
    assert found
    assert any(told in sentence for sentence in found), found

    list(rebuild(lived.views, lived.log))
    assert check_tables(lived.path, lived.log) == []


def test_a_table_that_was_dropped_is_told_with_the_way_out(lived: Any) -> None:
    tamper(lived, "DROP TABLE {a}days")
    with pytest.raises(Stalled, match=r"no such table.*hookledger rebuild"):
        check_tables(lived.path, lived.log)


def test_a_rebuild_ends_where_the_log_ends_though_tables_were_beyond(lived: Any) -> None:
    """Somebody removed events: the tables in use have seen more than there is."""
    head = lived.ledger.head()
    tamper(lived, "DROP TRIGGER stored_events_no_delete")
    tamper(lived, f"DELETE FROM stored_events WHERE rowid > {head - 2}")

    list(rebuild(lived.views, lived.log))

    assert [view.position() for view in lived.views] == [Position(head - 2)] * 3
    assert check_tables(lived.path, lived.log) == []
