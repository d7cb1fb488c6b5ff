"""Backups: whole, of one moment, of the right things; and never restored over what is in use."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from app.application.callers.answer_once import Answer, KeptAnswer
from app.application.callers.manage_clients import create_client
from app.bootstrap.ambient import cli_meta, new_id
from app.bootstrap.backup import MANIFEST, Manifest, back_up, read_manifest, restore
from app.bootstrap.presence import serving
from app.bootstrap.storage import open_answers, open_queue, open_storage, open_vault
from app.domain.errors import Rejected, Stalled
from config.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return _settings(tmp_path / "var")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    """Another machine, so to speak."""
    return _settings(tmp_path / "elsewhere")


def _settings(folder: Path) -> Settings:
    return load_settings(data_dir=folder)


def backup(settings: Settings, folder: Path, *, vault: bool = False) -> Manifest:
    return back_up(settings, folder, version="1", vault=vault, progress=lambda *_: None)


def make_client(settings: Settings, name: str) -> None:
    with open_storage(settings) as storage:
        create_client(
            storage.ledger,
            name=name,
            scopes=["read:hooks"],
            meta=cli_meta(),
            new_id=new_id,
            new_secret=new_id,
        )
    with open_queue(settings):
        pass


def clients(settings: Settings) -> set[str]:
    with open_storage(settings) as storage:
        return {row.name for row in storage.hooks.table.clients.values()}


def test_a_restored_ledger_is_the_one_that_was_backed_up(
    settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    make_client(settings, "first")
    made = backup(settings, tmp_path / "backup")
    make_client(settings, "second")
    restored = restore(elsewhere, tmp_path / "backup", force=False)
    assert restored == made
    assert made.position == 1
    assert clients(elsewhere) == {"first"}
    assert clients(settings) == {"first", "second"}


def test_all_that_is_written_is_for_its_owner_only(settings: Settings, tmp_path: Path) -> None:
    make_client(settings, "first")
    backup(settings, tmp_path / "backup")
    modes = {path.name: path.stat().st_mode & 0o077 for path in (tmp_path / "backup").iterdir()}
    assert set(modes) == {"hookledger.db", "queue.db", MANIFEST}
    assert set(modes.values()) == {0}


def test_the_vault_is_in_a_backup_of_its_own(settings: Settings, tmp_path: Path) -> None:
    make_client(settings, "first")
    assert "vault.db" not in backup(settings, tmp_path / "backup").files
    assert set(backup(settings, tmp_path / "other", vault=True).files) == {"vault.db"}


def test_a_backup_beside_a_busy_writer_is_of_one_moment(settings: Settings, tmp_path: Path) -> None:
    """Two rows are written in every transaction: a copy that holds one of them is torn."""
    settings.data_dir.mkdir()
    with closing(sqlite3.connect(settings.database, isolation_level=None)) as writing:
        writing.execute("PRAGMA journal_mode = WAL")
        writing.execute("CREATE TABLE stored_events (text)")
        writing.execute("CREATE TABLE twins (text)")
        for _ in range(200):
            put_twins(writing, 100)
        done = threading.Event()
        thread = threading.Thread(target=keep_writing, args=(settings.database, done))
        thread.start()
        backup(settings, tmp_path / "backup")
        done.set()
        thread.join()
    with closing(sqlite3.connect(tmp_path / "backup" / "hookledger.db")) as copy:
        (one,) = copy.execute("SELECT count(*) FROM stored_events").fetchone()
        (other,) = copy.execute("SELECT count(*) FROM twins").fetchone()
    assert one == other >= 20_000


def put_twins(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table in ("stored_events", "twins"):
        connection.executemany(f"INSERT INTO {table} VALUES (?)", [("x" * 500,)] * number)
    connection.execute("COMMIT")


def keep_writing(path: Path, done: threading.Event) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        while not done.is_set():
            put_twins(connection, 1)


@pytest.mark.parametrize("damage", ["changed", "missing", "cut short", "foreign"])
def test_a_damaged_backup_is_refused_and_changes_nothing(
    settings: Settings, elsewhere: Settings, tmp_path: Path, damage: str
) -> None:
    make_client(settings, "first")
    folder = tmp_path / "backup"
    made = backup(settings, folder)
    if damage == "changed":
        with (folder / "hookledger.db").open("r+b") as file:
            file.seek(5000)
            file.write(b"\x01")
    elif damage == "missing":
        (folder / "queue.db").unlink()
    elif damage == "cut short":
        (folder / MANIFEST).unlink()
    else:
        files = {**made.files, "../../escaped": made.files["queue.db"]}
        altered = msgspec.structs.replace(made, files=files)
        (folder / MANIFEST).write_bytes(msgspec.json.encode(altered))
    with pytest.raises(Rejected):
        restore(elsewhere, folder, force=True)
    assert not elsewhere.data_dir.exists()


def test_files_that_are_there_stay_unless_they_are_set_aside(
    settings: Settings, tmp_path: Path
) -> None:
    make_client(settings, "first")
    backup(settings, tmp_path / "backup")
    make_client(settings, "second")
    with pytest.raises(Rejected, match="--force"):
        restore(settings, tmp_path / "backup", force=False)
    assert clients(settings) == {"first", "second"}

    restore(settings, tmp_path / "backup", force=True)
    assert clients(settings) == {"first"}
    [aside] = settings.data_dir.glob("hookledger.db.before-*")
    shutil.copy(aside, tmp_path / "aside.db")
    with closing(sqlite3.connect(tmp_path / "aside.db")) as former:
        assert former.execute("SELECT count(*) FROM stored_events").fetchone() == (2,)


def test_no_kept_answer_tells_of_a_change_that_the_restored_ledger_lacks(
    settings: Settings, tmp_path: Path
) -> None:
    make_client(settings, "first")
    backup(settings, tmp_path / "backup")
    kept = settings.data_dir / "answers.db"
    with open_vault(settings) as vault, open_answers(settings, vault) as answers:
        answers.keep("client", "key", KeptAnswer(b"f", Answer(201, (), b"{}")))
    restore(settings, tmp_path / "backup", force=True)
    assert not kept.exists()
    assert list(settings.data_dir.glob("answers.db.before-*"))


def test_nothing_is_restored_under_a_running_server(settings: Settings, tmp_path: Path) -> None:
    make_client(settings, "first")
    backup(settings, tmp_path / "backup")
    with serving(settings), pytest.raises(Stalled, match="running"):
        restore(settings, tmp_path / "backup", force=True)
    restore(settings, tmp_path / "backup", force=True)


def test_a_folder_with_something_in_it_is_not_written_to(
    settings: Settings, tmp_path: Path
) -> None:
    make_client(settings, "first")
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "precious").touch()
    with pytest.raises(Rejected, match="not empty"):
        backup(settings, tmp_path / "backup")
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["precious"]


def test_a_data_folder_that_holds_nothing_is_not_backed_up(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(Stalled, match="nothing to back up"):
        backup(settings, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_what_was_backed_up_can_be_looked_at(settings: Settings, tmp_path: Path) -> None:
    make_client(settings, "first")
    assert backup(settings, tmp_path / "backup") == read_manifest(tmp_path / "backup")
