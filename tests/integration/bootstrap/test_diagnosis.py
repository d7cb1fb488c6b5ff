"""What ``hookledger doctor`` says of the disk and of the database."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from app.application.syncing.status import Check
from app.bootstrap.diagnosis import diagnose
from app.bootstrap.storage import open_storage
from config.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


def found(settings: Settings, name: str) -> Check:
    (check,) = (check for check in diagnose(settings).checks if check.name == name)
    return check


def test_a_database_that_can_be_read_is_well(settings: Settings) -> None:
    assert found(settings, "database").ok
    assert not settings.database.exists()
    with open_storage(settings):
        pass
    assert found(settings, "database").detail == f"{settings.database} can be read"


def test_a_diagnosis_makes_nothing_and_says_what_will_be_made(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "a" / "var")
    for name in ("data directory", "database", "master key"):
        check = found(settings, name)
        assert check.ok
        assert "will be made" in check.detail
    assert not list(tmp_path.iterdir())


def test_a_data_folder_that_cannot_be_made_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = found(load_settings(data_dir=tmp_path / "file" / "var"), "data directory")
    assert not check.ok
    assert f"{tmp_path}/file is no folder" in check.detail


def test_a_key_file_that_is_gone_is_found(settings: Settings) -> None:
    with open_storage(settings) as storage:
        storage.vault.seal("hook", "NAME", "value")
    settings.key_file.unlink()
    check = found(settings, "master key")
    assert not check.ok
    assert not settings.key_file.exists()


def test_a_damaged_database_is_found(settings: Settings) -> None:
    settings.database.write_bytes(b"no database at all" * 100)
    check = found(settings, "database")
    assert not check.ok
    assert "restore a backup" in check.detail


def test_a_disk_that_is_nearly_full_is_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(settings, "data directory").ok
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5 * 1024**2))
    check = found(settings, "data directory")
    assert not check.ok
    assert "5 MiB left" in check.detail


def test_the_descriptors_that_may_be_needed_are_compared_with_those_there_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 4096))
    assert found(settings, "file descriptors").ok
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 1024))
    check = found(settings, "file descriptors")
    assert not check.ok
    assert "LimitNOFILE" in check.detail
    assert diagnose(settings).can_serve, "fewer do until many callers come"
