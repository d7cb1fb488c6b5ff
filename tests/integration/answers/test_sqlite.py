"""The file of answers: what is kept, for how long, how much of it, and what nobody can read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.answers import sqlite
from app.answers.sqlite import SqliteAnswers
from app.application.callers.answer_once import KEPT_FOR, Answer, KeptAnswer
from app.vault.sealing import SealingVault, open_vault

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
HEADERS = ((b"hookledger-position", b"7"), (b"content-type", b"application/json"))


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[SealingVault]:
    opened = open_vault(tmp_path / "master.key", tmp_path / "vault.db", lambda: NOW)
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.db"


@pytest.fixture
def store(path: Path, vault: SealingVault, clock: Clock) -> Iterator[SqliteAnswers]:
    opened = SqliteAnswers(path, vault, clock)
    yield opened
    opened.close()


def kept(body: bytes = b"{}", fingerprint: bytes = b"f" * 32) -> KeptAnswer:
    return KeptAnswer(fingerprint, Answer(201, HEADERS, body))


def test_an_answer_comes_back_as_it_was_also_after_a_restart(
    store: SqliteAnswers, path: Path, vault: SealingVault, clock: Clock
) -> None:
    store.keep("c1", "key", kept(b'{"id": 1}'))
    store.close()
    again = SqliteAnswers(path, vault, clock)
    assert again.find("c1", "key") == kept(b'{"id": 1}')
    again.close()


def test_a_key_belongs_to_its_caller(store: SqliteAnswers) -> None:
    store.keep("c1", "2key", kept(b"one"))
    store.keep("c12", "key", kept(b"two"))
    assert store.find("c1", "2key") == kept(b"one")
    assert store.find("c12", "key") == kept(b"two")
    assert store.find("c3", "key") is None


def test_an_answer_is_kept_for_a_day(store: SqliteAnswers, clock: Clock) -> None:
    store.keep("c1", "key", kept())
    clock.now = NOW + KEPT_FOR - timedelta(seconds=1)
    assert store.find("c1", "key") == kept()
    clock.now = NOW + KEPT_FOR
    assert store.find("c1", "key") is None


def test_what_is_past_its_time_is_deleted_by_the_next_that_comes(
    store: SqliteAnswers, path: Path, clock: Clock
) -> None:
    store.keep("c1", "old", kept())
    clock.now = NOW + KEPT_FOR
    store.keep("c2", "new", kept())
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT caller FROM answers").fetchall() == [("c2",)]
    connection.close()


def test_a_caller_that_has_too_many_loses_its_oldest_and_nobody_elses(
    store: SqliteAnswers, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "MOST_OF_A_CALLER", 3)
    store.keep("other", "key", kept())
    for number in range(5):
        clock.now += timedelta(seconds=1)
        store.keep("c1", f"key-{number}", kept())
    found = [store.find("c1", f"key-{number}") is not None for number in range(5)]
    assert found == [False, False, True, True, True]
    assert store.find("other", "key") == kept()


def test_answers_that_are_too_large_together_lose_the_oldest_never_the_newest(
    store: SqliteAnswers, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "MOST_BYTES_OF_A_CALLER", 2_500)
    for number in range(4):
        clock.now += timedelta(seconds=1)
        store.keep("c1", f"key-{number}", kept(b"x" * 1_000))
    assert [n for n in range(4) if store.find("c1", f"key-{n}")] == [2, 3]
    clock.now += timedelta(seconds=1)
    store.keep("c1", "huge", kept(b"x" * 10_000))
    assert [n for n in range(4) if store.find("c1", f"key-{n}")] == []
    assert store.find("c1", "huge") == kept(b"x" * 10_000)


def test_neither_answer_nor_key_nor_fingerprint_can_be_read_from_the_files(
    store: SqliteAnswers, path: Path
) -> None:
    store.keep("c1", "order-of-jane-doe", kept(b"module.exports = 'sk_live_1'", b"g" * 32))
    stored = b"".join(file.read_bytes() for file in path.parent.glob("answers.db*"))
    for secret in (b"sk_live", b"jane-doe", b"g" * 32):
        assert secret not in stored


def test_an_answer_that_was_moved_under_another_key_or_altered_is_none(
    store: SqliteAnswers, path: Path
) -> None:
    store.keep("c1", "mine", kept(b"mine"))
    store.keep("c1", "other", kept(b"other"))
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE answers SET protected = (SELECT protected FROM answers ORDER BY rowid LIMIT 1)"
        )
    connection.close()
    assert store.find("c1", "mine") == kept(b"mine")
    assert store.find("c1", "other") is None
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE answers SET protected = CAST(x'00' || substr(protected, 2) AS BLOB)"
        )
    connection.close()
    assert store.find("c1", "mine") is None


def test_nobody_else_may_read_the_file(store: SqliteAnswers, path: Path) -> None:
    store.keep("c1", "key", kept())
    assert path.stat().st_mode & 0o777 == 0o600
