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
    return load_settings(data_dir=tmp_path, database_url=f"sqlite:///{tmp_path}/hookledger.db")


def found(settings: Settings, name: str) -> Check:
    (check,) = (check for check in diagnose(settings).checks if check.name == name)
    return check


def test_a_database_that_can_be_read_is_well(settings: Settings) -> None:
    assert found(settings, "database").ok
    assert not settings.database.exists()
    with open_storage(settings):
        pass
    assert found(settings, "database").detail == f"{settings.database} can be read"


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
