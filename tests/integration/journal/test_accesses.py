"""Accesses are counted, kept apart from records, and cannot be flooded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.application.callers.access_ports import AccessLog
from app.application.journal_views import Access, AccessQuery, AccessRecord
from app.journal.accesses import EVERYWHERE, MOST_A_DAY, MOST_A_MINUTE, MOST_OF_A_CLIENT
from app.journal.retention import Retention
from app.journal.sqlite import SqliteJournal

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(path: Path, clock: Clock) -> Iterator[SqliteJournal]:
    opened = SqliteJournal(path, clock, flush_interval=0.01)
    yield opened
    opened.close()


def denied(address: str = "1.2.3.4", client: str = "", **members: str) -> Access:
    route = members.pop("route", "GET /v1/hooks")
    return Access("denied", client=client, address=address, route=route, reason="bad token")


def listed(journal: SqliteJournal, **query: Any) -> list[AccessRecord]:
    journal.flush()
    # Accesses have no ticket: what was noted before is in the batch of this line or an earlier one.
    journal.log(_line())
    journal.flush()
    return list(journal.accesses(AccessQuery(**query), cursor=None, limit=10_000).items)


def _line() -> Any:
    from app.domain.outcomes import LogLine

    return LogLine(None, "h", NOON, "info", "log", "")


def test_accesses_that_are_alike_are_one_entry_a_minute(
    journal: SqliteJournal, clock: Clock
) -> None:
    port: AccessLog = journal
    for _ in range(3):
        port.note(denied())
        clock.forward(seconds=10)
    listed(journal)
    port.note(denied())
    clock.forward(seconds=60)
    port.note(denied())
    newest, older = listed(journal)
    assert (older.count, older.first_at, older.last_at) == (4, NOON, NOON + timedelta(seconds=30))
    assert (newest.count, newest.access) == (1, denied())


def test_openings_of_a_secret_are_one_entry_a_day_for_each_version(
    journal: SqliteJournal, clock: Clock
) -> None:
    for key in ("k1", "k1", "k2", "k1"):
        journal.note(Access("secret_opened", subject=f"hook:h secret:s key:{key}"))
        clock.forward(hours=2)
    found = {each.access.subject[-2:]: each.count for each in listed(journal)}
    assert found == {"k1": 3, "k2": 1}
    clock.forward(days=1)
    journal.note(Access("secret_opened", subject="hook:h secret:s key:k1"))
    assert len(listed(journal, subject="key:k1")) == 2
    assert listed(journal, subject="key:k") == []


def test_a_flood_of_strangers_is_a_few_rows_and_hides_no_client(
    journal: SqliteJournal, clock: Clock
) -> None:
    minutes = MOST_A_DAY // MOST_A_MINUTE + 20
    for minute in range(minutes):
        for number in range(2 * MOST_A_MINUTE):
            journal.note(denied(f"10.{minute}.0.{number}"))
        journal.note(denied("9.9.9.9", client="known"))
        clock.forward(minutes=1)
    found = listed(journal)
    strangers = [each for each in found if not each.access.client]
    told_apart = [each for each in strangers if each.access.address != EVERYWHERE]
    assert len(told_apart) == MOST_A_DAY
    assert sum(each.count for each in strangers) == minutes * 2 * MOST_A_MINUTE
    assert len(strangers) - len(told_apart) <= minutes
    assert len(listed(journal, client="known", address="9.9.9.9")) == minutes


def test_a_client_that_looks_at_everything_is_bounded_too(journal: SqliteJournal) -> None:
    for number in range(MOST_OF_A_CLIENT + 50):
        journal.note(Access("payload_read", client="c", subject=f"invocation:{number}"))
    found = listed(journal, kind="payload_read")
    assert len(found) == MOST_OF_A_CLIENT + 1
    assert sum(each.count for each in found) == MOST_OF_A_CLIENT + 50


def test_filters_and_pages(journal: SqliteJournal, clock: Clock) -> None:
    for number in range(5):
        journal.note(denied(f"1.1.1.{number}"))
        clock.forward(minutes=1)
    listed(journal)
    seen, cursor = [], None
    while True:
        page = journal.accesses(AccessQuery(kind="denied"), cursor=cursor, limit=2)
        seen += [each.access.address for each in page.items]
        if (cursor := page.next) is None:
            break
    assert seen == [f"1.1.1.{number}" for number in reversed(range(5))]
    since = NOON + timedelta(minutes=3)
    assert [each.access.address for each in listed(journal, since=since)] == ["1.1.1.4", "1.1.1.3"]


def test_accesses_outlive_records(path: Path, clock: Clock) -> None:
    retention = Retention(age=timedelta(days=1), access_age=timedelta(days=10))

    def opened() -> SqliteJournal:
        return SqliteJournal(path, clock, flush_interval=0.01, retention=retention)

    first = opened()
    first.note(denied())
    first.log(_line())
    first.close()
    clock.forward(days=5)
    second = opened()
    assert [each.access for each in listed(second)] == [denied()]
    second.close()
    clock.forward(days=6)
    third = opened()
    _until(lambda: listed(third) == [])
    third.close()


def test_text_that_cannot_be_stored_takes_nothing_along(journal: SqliteJournal) -> None:
    journal.note(denied("half a pair \ud83d"))
    assert listed(journal)[0].access.address == "half a pair ?"


def _until(condition: Callable[[], bool]) -> None:
    import threading

    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("the condition did not come true")
