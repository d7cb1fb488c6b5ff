"""The file of sessions: what is kept, what runs out, who gets a ticket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.domain.callers.people import Role, Session, local_person
from app.sessions.sqlite import SqliteSessions

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteSessions]:
    opened = SqliteSessions(tmp_path / "sessions.db")
    yield opened
    opened.close()


def session(number: int = 1, minutes: int = 0) -> Session:
    return Session(
        id=f"S{number}",
        person=local_person("ada", Role.OPERATOR),
        began_at=NOW,
        seen_at=NOW + timedelta(minutes=minutes),
        ends_at=NOW + timedelta(hours=12),
        agent="a browser",
        address="192.0.2.1",
    )


def test_a_session_comes_back_as_it_was_also_after_a_restart(
    store: SqliteSessions, tmp_path: Path
) -> None:
    store.begin("hash", session())
    assert store.find("hash") == session()
    assert store.find("other") is None
    again = SqliteSessions(tmp_path / "sessions.db")
    assert again.find("hash") == session()
    again.close()


def test_nobody_else_may_read_the_file(store: SqliteSessions, tmp_path: Path) -> None:
    assert (tmp_path / "sessions.db").stat().st_mode & 0o777 == 0o600


def test_the_one_used_last_is_first(store: SqliteSessions) -> None:
    store.begin("h1", session(1))
    store.begin("h2", session(2, minutes=5))
    store.touch("S1", NOW + timedelta(minutes=10))
    store.touch("S1", NOW)
    assert [one.id for one in store.list()] == ["S1", "S2"]


def test_what_is_ended_is_gone(store: SqliteSessions) -> None:
    store.begin("hash", session())
    assert store.end("S1")
    assert not store.end("S1")
    assert store.find("hash") is None


def test_what_has_run_out_is_swept(store: SqliteSessions) -> None:
    store.begin("h1", session(1))
    store.begin("h2", session(2, minutes=60))
    store.offer("link", "t", b"x", NOW)
    store.sweep(NOW + timedelta(minutes=30), idle_since=NOW)
    assert [one.id for one in store.list()] == ["S2"]
    store.sweep(NOW + timedelta(hours=12), idle_since=NOW)
    assert store.list() == []


def test_a_ticket_is_taken_once_in_time_for_its_purpose(store: SqliteSessions) -> None:
    store.offer("link", "t", b"content", NOW)
    assert store.take("openid", "t", NOW - timedelta(seconds=1)) is None
    assert store.take("link", "t", NOW - timedelta(seconds=1)) == b"content"
    assert store.take("link", "t", NOW - timedelta(seconds=1)) is None
    store.offer("link", "late", b"content", NOW)
    assert store.take("link", "late", NOW) is None


def test_of_many_at_once_one_gets_the_ticket(store: SqliteSessions, tmp_path: Path) -> None:
    store.offer("link", "t", b"content", NOW)
    got: list[bytes | None] = []

    def take() -> None:
        other = SqliteSessions(tmp_path / "sessions.db")
        got.append(other.take("link", "t", NOW - timedelta(seconds=1)))
        other.close()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(filter(None, got)) == [b"content"]
