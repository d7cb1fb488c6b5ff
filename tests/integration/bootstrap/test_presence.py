"""Commands find the server of a data folder, wherever it listens."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap.presence import alone, served_address, serving
from app.domain.errors import Stalled
from config.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


def test_a_server_is_found_at_the_port_it_really_has(settings: Settings) -> None:
    with serving(settings.model_copy(update={"port": 4711})):
        assert served_address(settings) == "http://127.0.0.1:4711"


def test_without_a_server_it_is_where_one_would_be(settings: Settings, tmp_path: Path) -> None:
    assert served_address(settings) == settings.address
    with serving(settings.model_copy(update={"port": 4711})):
        pass
    assert served_address(settings) == settings.address
    nowhere = load_settings(data_dir=tmp_path / "none")
    assert served_address(nowhere) == nowhere.address
    assert not nowhere.data_dir.exists()


def serve_until(told: Any, end: Any, folder: Path) -> None:
    with serving(load_settings(data_dir=folder, port=4712)):
        told.set()
        end.wait(30)


def test_a_server_that_was_killed_is_not_found(settings: Settings) -> None:
    context = multiprocessing.get_context("spawn")
    told, end = context.Event(), context.Event()
    process = context.Process(target=serve_until, args=(told, end, settings.data_dir))
    process.start()
    assert told.wait(30)
    assert served_address(settings) == "http://127.0.0.1:4712"
    process.kill()
    process.join()
    assert served_address(settings) == settings.address


def test_who_asks_does_not_keep_a_server_from_starting(settings: Settings) -> None:
    asking = threading.Event()

    def ask() -> None:
        while not asking.is_set():
            served_address(settings)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            with serving(settings):
                pass
    finally:
        asking.set()
        for thread in threads:
            thread.join()


def test_no_server_starts_while_a_backup_is_restored(settings: Settings) -> None:
    with alone(settings), pytest.raises(Stalled, match="being restored"), serving(settings):
        pass


def test_a_folder_has_one_server_and_a_second_learns_where_it_is(settings: Settings) -> None:
    first = settings.model_copy(update={"port": 4711})
    refused = pytest.raises(Stalled, match=r"at http://127\.0\.0\.1:4711; stop it")
    with serving(first), refused, serving(settings):
        pass
    with serving(settings):
        assert served_address(settings) == settings.address


def test_a_restore_after_a_server_is_not_taken_for_it(settings: Settings) -> None:
    with serving(settings):
        pass
    with alone(settings), pytest.raises(Stalled, match="being restored"), serving(settings):
        pass
