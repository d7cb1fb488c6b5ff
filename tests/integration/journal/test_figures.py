"""Figures, recorded content and filters that need a look at the rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.application.journal_views import Content, ExecutionQuery, ExecutionRecord, StatsQuery
from app.domain.errors import Rejected, Stalled
from app.domain.outcomes import OutcomeKind
from app.journal import pages
from app.journal.database import open_for_writing
from app.journal.sqlite import SqliteJournal
from app.journal.store import Stored

Open = Callable[..., SqliteJournal]
Make = Callable[..., ExecutionRecord]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = StatsQuery(NOON, NOON + timedelta(hours=1))


class FakeVault:
    """Protects by turning round, with the purpose before it."""

    def protect(self, purpose: str, data: bytes) -> bytes:
        return purpose.encode() + data[::-1]

    def reveal(self, purpose: str, protected: bytes) -> bytes:
        if not protected.startswith(purpose.encode()):
            raise Rejected("altered")
        return protected[len(purpose) :][::-1]


def fill(journal: SqliteJournal, *records: ExecutionRecord) -> None:
    for record in records:
        journal.record(record)
    journal.flush()


def ids(journal: SqliteJournal, limit: int = 100, **query: Any) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = journal.executions(ExecutionQuery(**query), cursor=cursor, limit=limit)
        found += [record.invocation_id for record in page.items]
        cursor = page.next
        if cursor is None:
            return found


def test_runs_are_counted_by_outcome_hook_and_commit_over_batches_and_restarts(
    open_journal: Open, execution: Make
) -> None:
    journal = open_journal()
    fill(journal, execution(0, total_ms=1), execution(0.5, total_ms=100, kind=OutcomeKind.ERRORED))
    journal.close()
    journal = open_journal()
    fill(
        journal,
        execution(0.9, total_ms=10),
        execution(2, commit="d" * 40, kind=OutcomeKind.TIMED_OUT),
        execution(3, hook_id=None, hook_name=None, commit=None, trigger="other"),
        execution(60),
    )
    stats = journal.stats(HOUR)
    assert (stats.width_seconds, stats.overall.runs) == (60, 5)
    assert stats.overall.outcomes == {
        OutcomeKind.SUCCEEDED: 3,
        OutcomeKind.ERRORED: 1,
        OutcomeKind.TIMED_OUT: 1,
    }
    assert (stats.overall.error_rate, stats.overall.failure_rate) == (0.4, 0.2)
    first = stats.groups[0]
    assert (first.hook_name, first.commit, first.tally.runs) == ("greet", "c" * 40, 3)
    assert first.tally.total.percentiles == pytest.approx((10, 100, 100), rel=0.033)
    assert {(group.trigger, group.hook_id, group.commit) for group in stats.groups[1:]} == {
        ("post-login", "01JAAAAAAAAAAAAAAAAAAAAAAA", "d" * 40),
        ("other", None, None),
    }
    assert [(point.at.minute, point.tally.runs) for point in stats.series] == [
        (0, 3),
        (2, 1),
        (3, 1),
    ]


def test_figures_can_be_of_one_hook_by_name_or_id(journal: SqliteJournal, execution: Make) -> None:
    fill(journal, execution(0), execution(1, hook_id="01JBBBBBBBBBBBBBBBBBBBBBBB", hook_name="b"))
    for hook in ("b", "01JBBBBBBBBBBBBBBBBBBBBBBB"):
        asked = StatsQuery(HOUR.since, HOUR.until, hook=hook)
        assert [group.hook_name for group in journal.stats(asked).groups] == ["b"]
    assert journal.stats(StatsQuery(HOUR.since, HOUR.until, hook="nobody")).groups == ()


def test_a_long_window_is_told_by_the_hour(journal: SqliteJournal, execution: Make) -> None:
    fill(journal, *(execution(minute) for minute in range(0, 180, 10)))
    stats = journal.stats(StatsQuery(NOON, NOON + timedelta(days=7)))
    assert stats.width_seconds == 3600
    assert [(point.at.hour, point.tally.runs) for point in stats.series] == [
        (12, 6),
        (13, 6),
        (14, 6),
    ]


def test_a_window_without_time_in_it_is_refused(journal: SqliteJournal) -> None:
    with pytest.raises(Rejected):
        journal.stats(StatsQuery(NOON, NOON))


def test_records_that_cannot_be_stored_are_not_counted(
    journal: SqliteJournal, execution: Make
) -> None:
    fill(journal, execution(0), execution(1, request_bytes=1 << 70))
    assert journal.stats(HOUR).overall.runs == 1


def test_records_are_found_by_caller_duration_and_text(
    journal: SqliteJournal, execution: Make
) -> None:
    fill(
        journal,
        execution(0, invocation_id="fast", caller="a"),
        execution(1, invocation_id="slow", total_ms=500.0),
        execution(
            2, invocation_id="bad", kind=OutcomeKind.ERRORED, error="The GATEWAY is down 100%"
        ),
        execution(3, invocation_id="late", kind=OutcomeKind.TIMED_OUT, error="too late"),
    )
    assert ids(journal, caller="a") == ["fast"]
    assert ids(journal, min_ms=500.0) == ["slow"]
    assert ids(journal, text="gateway") == ["bad"]
    assert ids(journal, text="%") == ["bad"]
    assert ids(journal, kind=OutcomeKind.SUCCEEDED) == ["slow", "fast"]
    assert ids(journal, kind=OutcomeKind.TIMED_OUT) == ["late"]
    assert ids(journal, kind=OutcomeKind.TIMED_OUT, text="gateway") == []


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_a_filter_without_an_index_looks_at_so_many_rows_a_page_and_misses_none(
    journal: SqliteJournal, execution: Make, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(pages, "MOST_SCANNED", 7)
    other = {"hook_id": "01JBBBBBBBBBBBBBBBBBBBBBBB"}
    fill(
        journal,
        *(
            execution(n, invocation_id=str(n), total_ms=float(n % 10), **(other if n % 2 else {}))
            for n in range(100)
        ),
    )
    slow = [str(n) for n in reversed(range(100)) if n % 10 >= 8]
    assert ids(journal, limit, min_ms=8.0) == slow
    assert ids(journal, limit, min_ms=8.0, hook="greet") == slow
    first = journal.executions(ExecutionQuery(min_ms=50.0), cursor=None, limit=5)
    assert (first.items, first.next is None) == ((), False)


def test_failures_are_found_by_their_index(path: Path, journal: SqliteJournal) -> None:
    connection = sqlite3.connect(path)
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT at FROM executions WHERE kind = ? AND kind <> 'succeeded'"
        " ORDER BY at DESC, sequence DESC LIMIT 5",
        ("errored",),
    ).fetchall()
    connection.close()
    assert "executions_by_failure" in plan[0][3]


def test_recorded_content_comes_back_and_is_not_in_the_file(
    open_journal: Open, execution: Make, path: Path
) -> None:
    content = Content(b'{"who":"unmistakable"}', b"null", ("email",))
    vault: Any = FakeVault()
    journal = open_journal(vault=vault)
    fill(journal, execution(0, content=content, error_class="AnError"))
    (recording,) = journal.recordings("i0")
    assert (recording.content, recording.at) == (content, NOON)
    assert journal.is_recorded("i0")
    assert not journal.is_recorded("i1")
    (record,) = journal.executions(ExecutionQuery(), cursor=None, limit=1).items
    assert (record.content, record.error_class) == (None, "AnError")
    journal.close()
    assert b"unmistakable" not in path.read_bytes()
    with pytest.raises(Stalled, match="encrypted"):
        open_journal().recordings("i0")


def test_without_a_vault_no_content_is_kept(journal: SqliteJournal, execution: Make) -> None:
    fill(journal, execution(0, content=Content(b"{}", None, ())))
    assert not journal.is_recorded("i0")


def test_content_that_comes_too_fast_is_left_out_and_said_to_be(
    open_journal: Open, execution: Make
) -> None:
    vault: Any = FakeVault()
    journal = open_journal(vault=vault, flush_interval=60)
    big = Content(b'"' + b"x" * (20 << 20) + b'"', None, ())
    fill(journal, execution(0, content=big), execution(1, content=big))
    (kept,), (left_out,) = journal.recordings("i0"), journal.recordings("i1")
    assert kept.content == big
    assert left_out.content.payload is None
    assert left_out.content.left_out == "Too much waited to be written."


def test_what_was_stored_is_told_with_its_numbers(
    open_journal: Open, execution: Make, line: Callable[..., Any]
) -> None:
    told: list[Stored] = []
    journal = open_journal(on_stored=told.append)
    for number in range(3):
        journal.log(line(number))
    fill(journal, execution(0), execution(1, request_bytes=1 << 70), execution(2))
    executions = [pair for each in told for pair in each.executions]
    assert [(n, record.invocation_id) for n, record in executions] == [(1, "i0"), (2, "i2")]
    assert [n for each in told for n, _ in each.lines] == [1, 2, 3]
    assert journal.newest() == (2, 3)
    assert [each.sequence for each in journal.lines_after(1, 10)] == [2, 3]
    assert [each.record.invocation_id for each in journal.executions_after(1, 10)] == ["i2"]


def test_a_file_of_the_first_servers_is_taken_over(
    path: Path, open_journal: Open, execution: Make
) -> None:
    connection = open_for_writing(path)
    connection.executescript(
        "ALTER TABLE executions DROP COLUMN error_class;"
        "CREATE INDEX executions_by_kind ON executions (kind, at);"
        "DROP TABLE tallies; DROP TABLE accesses; DROP TABLE recordings; DROP TABLE open_writer;"
    )
    connection.close()
    journal = open_journal()
    fill(journal, execution(0, error_class="AnError"))
    assert ids(journal) == ["i0"]
    assert journal.stats(HOUR).overall.runs == 1
