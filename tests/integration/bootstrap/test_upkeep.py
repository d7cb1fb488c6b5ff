"""What a server does by itself while it serves."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from app.bootstrap.storage import open_storage
from app.bootstrap.upkeep import remove_leftovers
from config.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "var")


def tables(settings: Settings) -> set[str]:
    with contextlib.closing(sqlite3.connect(settings.database)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def test_tables_of_an_older_version_are_removed(settings: Settings) -> None:
    with open_storage(settings):
        pass
    with contextlib.closing(sqlite3.connect(settings.database)) as connection, connection:
        connection.execute("CREATE TABLE audit_log_v1_g1_events (position INTEGER PRIMARY KEY)")
        connection.execute("INSERT INTO projection_positions (name) VALUES ('audit_log_v1')")
    with open_storage(settings) as storage:
        asyncio.run(remove_leftovers(storage))
    assert "audit_log_v1_g1_events" not in tables(settings)


def test_a_database_that_cannot_be_written_keeps_them_and_the_server_goes_on(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with open_storage(settings) as storage:
        with contextlib.closing(sqlite3.connect(settings.database)) as connection, connection:
            connection.execute("CREATE TABLE audit_log_v1_g1_events (position INTEGER)")
        storage.stored_audit.database.close()
        asyncio.run(remove_leftovers(storage))
    assert "old_tables_stay" in caplog.text
    assert "audit_log_v1_g1_events" in tables(settings)
