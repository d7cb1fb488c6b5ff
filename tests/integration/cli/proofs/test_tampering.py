"""Somebody changes the database behind the server's back, and `audit verify` says where."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from app.bootstrap.storage import open_storage
from tests.integration.cli.proofs.installation import EVENTS, SIGNED, run, tamper, verified


def test_a_history_that_nobody_touched_is_intact(var: Path) -> None:
    before = (var / "hookledger.db").read_bytes()

    code, found = verified()

    assert (code, found["verdict"], found["events"]) == (0, "intact", EVENTS)
    assert found["checkpoints"] == {"agreeing": 2, "contradicting": [], "refused": []}
    assert (found["warnings"], found["messages"]) == ([], [])
    assert (var / "hookledger.db").read_bytes() == before


def test_it_is_verified_while_a_server_has_it_open_and_writes(var: Path) -> None:
    with open_storage() as storage:
        assert run("clients", "create", "one more", "--scope", "read:audit").exit_code == 0
        head = storage.ledger.head()
        code, found = verified()
    assert head > EVENTS
    assert (code, found["events"]) == (0, head)


SWAP = """
UPDATE stored_events SET rowid = -1 WHERE rowid = 301;
UPDATE stored_events SET rowid = 301 WHERE rowid = 305;
UPDATE stored_events SET rowid = 305 WHERE rowid = -1"""
INSERT = """
UPDATE stored_events SET rowid = -rowid - 1 WHERE rowid >= 400;
UPDATE stored_events SET rowid = -rowid WHERE rowid < 0;
INSERT INTO stored_events VALUES (400, 'client:EVIL', 1, 'client.created', x'7b7d')"""
ATTACKS = {
    "an actor changed": (
        (
            "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT), 'actor', 'actos') AS BLOB)"
            " WHERE rowid = 123"
        ),
        123,
        "is not the one that was recorded",
    ),
    "a topic changed": (
        "UPDATE stored_events SET topic = 'hook.moved' WHERE rowid = 1",
        1,
        "is not the one that was recorded",
    ),
    "one removed": ("DELETE FROM stored_events WHERE rowid = 256", 256, "Event 256 is missing"),
    "one removed and the gap closed": (
        (
            "DELETE FROM stored_events WHERE rowid = 257;"
            "UPDATE stored_events SET rowid = rowid - 1 WHERE rowid > 257"
        ),
        257,
        "is not the one that was recorded",
    ),
    "one put in": (INSERT, 400, "is not the one that was recorded"),
    "two swapped": (SWAP, 301, "is not the one that was recorded"),
    "the end cut off": (
        "DELETE FROM stored_events WHERE rowid > 690",
        691,
        "Event 691 is missing, and everything after it",
    ),
    "everything removed": ("DELETE FROM stored_events", 1, "Event 1 is missing"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_first_event_that_was_touched_is_named(var: Path, attack: str) -> None:
    statements, position, sentence = ATTACKS[attack]
    tamper(var, statements)

    code, found = verified()

    assert (code, found["verdict"], found["first_bad_position"]) == (3, "altered", position)
    assert sentence in found["messages"][0]
    assert "somebody dropped it" in found["warnings"][0]
    printed = run("audit", "verify")
    assert (printed.exit_code, sentence in printed.output) == (3, True)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_tree_made_anew_after_the_change_is_contradicted_by_checkpoints(
    var: Path, attack: str
) -> None:
    statements, position, _ = ATTACKS[attack]
    tamper(var, statements)
    (var / "checkpoints").unlink()
    with contextlib.closing(sqlite3.connect(var / "hookledger.db")) as connection, connection:
        for (table,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'transparency%'"
        ).fetchall():
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DELETE FROM projection_positions WHERE name LIKE 'transparency%'")
    with open_storage():
        pass

    code, found = verified()

    assert (code, found["verdict"], found["first_bad_position"]) == (3, "altered", None)
    first = found["checkpoints"]["contradicting"][0]["note"].splitlines()[1]
    assert first == str(SIGNED if position <= SIGNED else EVENTS)
    assert f"The checkpoint of {SIGNED} events (stored, key" in found["messages"][0]
    if attack not in ("the end cut off", "everything removed"):
        assert f"among number 1 to {SIGNED} was changed" in found["messages"][0]
        assert "made anew after the change" in found["messages"][1]
    else:
        assert "were removed" in found["messages"][0]


def test_a_change_between_two_checkpoints_is_narrowed_down_by_them(var: Path) -> None:
    tamper(var, "UPDATE stored_events SET topic = 'x' WHERE rowid = 800")
    rebuild_or_not = verified()
    assert rebuild_or_not[1]["first_bad_position"] == 800
    messages = rebuild_or_not[1]["messages"]
    assert f"among number {SIGNED + 1} to {EVENTS} was changed" in messages[1]
