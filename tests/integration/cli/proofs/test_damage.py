"""Damage is told from change, and what cannot be vouched for is not signed."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.integration.cli.proofs.installation import rebuild, run, sign, tamper, verified


def test_a_damaged_tree_is_told_from_changed_events(var: Path) -> None:
    with contextlib.closing(sqlite3.connect(var / "hookledger.db")) as connection, connection:
        connection.execute(
            "UPDATE transparency_v1_g1_tiles SET hashes = zeroblob(length(hashes))"
            " WHERE level = 0 AND number = 1"
        )
    code, found = verified()
    assert (code, found["verdict"]) == (4, "damaged")
    assert "Run `hookledger rebuild`" in found["messages"][0]

    rebuild()
    assert verified()[0] == 0


def test_a_damaged_tree_above_the_leaves_is_noticed_too(var: Path) -> None:
    with contextlib.closing(sqlite3.connect(var / "hookledger.db")) as connection, connection:
        connection.execute(
            "UPDATE transparency_v1_g1_tiles SET hashes = zeroblob(length(hashes)) WHERE level = 1"
        )
    code, found = verified()
    assert (code, found["verdict"]) == (4, "damaged")


def test_tables_that_were_changed_are_damage_though_the_events_are_intact(var: Path) -> None:
    tables = "SELECT name FROM sqlite_master WHERE name LIKE 'audit_log%_events'"
    with contextlib.closing(sqlite3.connect(var / "hookledger.db")) as connection:
        ((table,),) = connection.execute(tables).fetchall()
    tamper(var, f"UPDATE {table} SET actor = 'nobody' WHERE position = 123")

    code, found = verified("--tables")
    assert (code, found["verdict"], found["first_bad_position"]) == (4, "damaged", None)
    assert "event 123 differs (actor)" in found["messages"][0]
    assert "Run `hookledger rebuild`." in found["messages"][1]
    assert verified()[0] == 0

    rebuild()
    assert verified("--tables")[0] == 0


def test_nothing_is_signed_for_a_history_that_was_changed(var: Path) -> None:
    tamper(var, "UPDATE stored_events SET topic = 'hook.moved' WHERE rowid = 40")
    with contextlib.suppress(Exception):
        rebuild()
    with contextlib.closing(sqlite3.connect(var / "hookledger.db")) as connection, connection:
        connection.execute("UPDATE transparency_v1_g1_tiles SET hashes = zeroblob(length(hashes))")

    with pytest.raises(Exception, match="contradicts the checkpoint of 900 events"):
        sign()


def test_a_database_without_checkpoints_is_verified_with_a_warning(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in var.glob("checkpoints*"):
        file.unlink()
    code, found = verified()
    assert (code, found["verdict"]) == (0, "intact")
    assert "No checkpoint was found" in found["warnings"][0]


def test_keys_are_rotated_and_old_checkpoints_still_verify(var: Path) -> None:
    before = run("keys", "checkpoint").stdout.split()
    new = run("keys", "rotate-checkpoint").stdout.strip()
    note = sign()

    assert run("keys", "checkpoint").stdout.split() == [new, *before]
    assert new.split("+")[0] in note
    code, found = verified()
    assert (code, found["checkpoints"]["agreeing"]) == (0, 3)
    code, found = verified("--key", new)
    (refused,) = found["checkpoints"]["refused"]
    assert code == 3
    assert refused.endswith("(2 of them)")
