"""What an operator does to a data folder, and what somebody else may do to it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.bootstrap.storage import open_storage, rebuild_projections
from app.bootstrap.transparency import open_prover
from app.cli.main import cli

EVENTS = 900
SIGNED = 700
"""Events that the first checkpoint covers; a second one covers all."""


def use(patched: pytest.MonkeyPatch, folder: Path) -> None:
    patched.setenv("HOOKLEDGER_DATA_DIR", str(folder))
    patched.setenv("COLUMNS", "300")


def sign() -> str:
    with open_storage() as storage, open_prover(storage) as prover:
        return prover.checkpoint().signed.note


def tamper(folder: Path, *statements: str) -> None:
    """Do what somebody with write access to the file can do: drop the triggers first."""
    with contextlib.closing(sqlite3.connect(folder / "hookledger.db")) as connection, connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'stored_events'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.commit()
        for statement in statements:
            connection.executescript(statement)


def rebuild() -> None:
    with open_storage() as storage:
        rebuild_projections(storage, lambda _: None)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def verified(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    result = run("audit", "verify", "--json", *arguments)
    return result.exit_code, json.loads(result.stdout)
