"""Every filter finds just what it should, in pages, newest first, without scanning or sorting."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from app.application.journal_views import (
    AccessQuery,
    ExecutionQuery,
    ExecutionRecord,
    LogQuery,
    StatsQuery,
    StoredLine,
)
from app.domain.errors import Rejected, Stalled
from app.domain.outcomes import Level, LogLine, OutcomeKind
from app.journal import pages as pages_module
from app.journal.sqlite import SqliteJournal

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOOKS = [f"01J{letter * 23}" for letter in "ABC"]
KINDS = [OutcomeKind.SUCCEEDED, OutcomeKind.ERRORED, OutcomeKind.CRASHED]
LEVELS: list[Level] = ["debug", "info", "error"]


@pytest.fixture
def records(
    journal: SqliteJournal, execution: Callable[..., ExecutionRecord]
) -> list[ExecutionRecord]:
    """Store 300 records in random order; return them newest first."""
    source = random.Random(7)
    made = [
        execution(
            minute // 2,  # two of each time: the order must not depend on the time alone
            invocation_id=f"i{minute}",
            trigger=source.choice(["t1", "t2"]),
            hook_id=HOOKS[minute % 3],
            hook_name=["greet", "greet", "check"][minute % 3],
            commit=source.choice(["a" * 40, "b" * 40]),
            kind=source.choice(KINDS),
        )
        for minute in range(300)
    ]
    source.shuffle(made)
    for each in made:
        journal.record(each)
    journal.flush()
    numbered = sorted(enumerate(made), key=lambda pair: (pair[1].at, pair[0]), reverse=True)
    return [each for _, each in numbered]


QUERIES = [
    ExecutionQuery(),
    ExecutionQuery(commit="b" * 7),
    ExecutionQuery(commit="A" * 12, hook="greet"),
    ExecutionQuery(commit="c" * 7),
    ExecutionQuery(trigger="t1"),
    ExecutionQuery(hook=HOOKS[1]),
    ExecutionQuery(hook="check"),
    ExecutionQuery(hook="greet"),
    ExecutionQuery(hook="unknown"),
    ExecutionQuery(commit="a" * 40),
    ExecutionQuery(kind=OutcomeKind.CRASHED),
    ExecutionQuery(unsuccessful=True),
    ExecutionQuery(unsuccessful=True, trigger="t2", hook="greet"),
    ExecutionQuery(invocation_id="i42"),
    ExecutionQuery(since=NOON + timedelta(minutes=50)),
    ExecutionQuery(until=NOON + timedelta(minutes=50)),
    ExecutionQuery(
        since=NOON + timedelta(minutes=20), until=NOON + timedelta(minutes=90), trigger="t2"
    ),
    ExecutionQuery(
        hook="greet",
        kind=OutcomeKind.ERRORED,
        commit="b" * 40,
        trigger="t1",
        until=NOON + timedelta(minutes=120),
    ),
]


def matches(query: ExecutionQuery, record: ExecutionRecord) -> bool:
    return (
        query.trigger in (None, record.trigger)
        and query.hook in (None, record.hook_id, record.hook_name)
        and (record.commit or "").startswith((query.commit or "").lower())
        and query.kind in (None, record.kind)
        and not (query.unsuccessful and record.kind is OutcomeKind.SUCCEEDED)
        and query.invocation_id in (None, record.invocation_id)
        and (query.since is None or record.at >= query.since)
        and (query.until is None or record.at < query.until)
    )


def pages(
    journal: SqliteJournal, query: ExecutionQuery, limit: int
) -> Iterator[tuple[ExecutionRecord, ...]]:
    cursor = None
    while True:
        page = journal.executions(query, cursor=cursor, limit=limit)
        yield page.items
        cursor = page.next
        if cursor is None:
            return


@pytest.mark.parametrize("query", QUERIES, ids=repr)
@pytest.mark.parametrize("limit", [7, 1000])
def test_a_filter_finds_all_its_executions_in_order(
    journal: SqliteJournal, records: list[ExecutionRecord], query: ExecutionQuery, limit: int
) -> None:
    found = list(pages(journal, query, limit))
    assert [each for page in found for each in page] == [
        each for each in records if matches(query, each)
    ]
    assert all(len(page) == limit for page in found[:-1])


@pytest.mark.parametrize("query", QUERIES, ids=repr)
@pytest.mark.parametrize("limit", [7, 1000])
def test_every_page_of_executions_leads_back_to_the_one_before(
    journal: SqliteJournal, records: list[ExecutionRecord], query: ExecutionQuery, limit: int
) -> None:
    onward = [journal.executions(query, cursor=None, limit=limit)]
    while onward[-1].next is not None:
        onward.append(journal.executions(query, cursor=onward[-1].next, limit=limit))
    assert onward[0].previous is None
    at = onward[-1]
    for before in reversed(onward[:-1]):
        assert at.previous is not None
        at = journal.executions(query, cursor=at.previous, limit=limit)
        assert at.items == before.items
        assert at.next is not None
    assert at.previous is None


def test_what_came_since_is_a_page_before(
    journal: SqliteJournal, records: list[ExecutionRecord]
) -> None:
    first = journal.executions(ExecutionQuery(), cursor=None, limit=10)
    second = journal.executions(ExecutionQuery(), cursor=first.next, limit=10)
    fresh = [
        replace(records[0], invocation_id=f"new{n}", at=NOON + timedelta(days=1, minutes=n))
        for n in range(3)
    ]
    for each in fresh:
        journal.record(each)
    journal.flush()
    back = journal.executions(ExecutionQuery(), cursor=second.previous, limit=10)
    assert back.items == first.items
    newest = journal.executions(ExecutionQuery(), cursor=back.previous, limit=10)
    assert list(newest.items) == fresh[::-1]
    assert newest.previous is None
    again = journal.executions(ExecutionQuery(), cursor=newest.next, limit=10)
    assert again.items == first.items


def test_a_full_last_page_has_no_next(
    journal: SqliteJournal, records: list[ExecutionRecord]
) -> None:
    assert journal.executions(ExecutionQuery(), cursor=None, limit=300).next is None
    assert journal.executions(ExecutionQuery(), cursor=None, limit=299).next is not None


def test_new_records_do_not_disturb_a_cursor(
    journal: SqliteJournal, records: list[ExecutionRecord]
) -> None:
    first = journal.executions(ExecutionQuery(), cursor=None, limit=10)
    journal.record(replace(records[0], invocation_id="new", at=NOON + timedelta(days=1)))
    journal.flush()
    second = journal.executions(ExecutionQuery(), cursor=first.next, limit=10)
    assert list(first.items + second.items) == records[:20]


@pytest.fixture
def lines(journal: SqliteJournal, line: Callable[..., LogLine]) -> list[LogLine]:
    """Store 200 lines; return them newest first."""
    source = random.Random(7)
    made = [
        line(
            minute // 3,
            invocation_id=source.choice(["i1", "i2", None]),
            hook_id=source.choice(HOOKS),
            level=source.choice(LEVELS),
            text=str(minute),
        )
        for minute in range(200)
    ]
    for each in made:
        journal.log(each)
    journal.flush()
    return made[::-1]


LINE_QUERIES = [
    LogQuery(),
    LogQuery(invocation_id="i1"),
    LogQuery(hook=HOOKS[0]),
    LogQuery(level="error"),
    LogQuery(since=NOON + timedelta(minutes=30)),
    LogQuery(until=NOON + timedelta(minutes=30)),
    LogQuery(invocation_id="i2", hook=HOOKS[1], level="info", since=NOON + timedelta(minutes=5)),
]

SCANNING_LINE_QUERIES = [
    LogQuery(hooks=tuple(HOOKS[1:])),
    LogQuery(hooks=()),
    LogQuery(text="19"),
    LogQuery(text="no such text"),
    LogQuery(text="1", hooks=(HOOKS[0],), level="info"),
]


@pytest.mark.parametrize("query", [*LINE_QUERIES, *SCANNING_LINE_QUERIES], ids=repr)
def test_a_filter_finds_all_its_lines_in_order(
    journal: SqliteJournal, lines: list[LogLine], query: LogQuery
) -> None:
    expected = [
        each
        for each in lines
        if query.invocation_id in (None, each.invocation_id)
        and query.hook in (None, each.hook_id)
        and query.level in (None, each.level)
        and (query.hooks is None or each.hook_id in query.hooks)
        and (query.text is None or query.text.lower() in each.text.lower())
        and (query.since is None or each.at >= query.since)
        and (query.until is None or each.at < query.until)
    ]
    found: list[StoredLine] = []
    cursor = None
    for _ in itertools.count():
        page = journal.lines(query, cursor=cursor, limit=6)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    assert [each.line for each in found] == expected
    sequences = [each.sequence for each in found]
    assert sequences == sorted(sequences, reverse=True)


@pytest.mark.parametrize("most_scanned", [3, 7, 20_000])
@pytest.mark.parametrize("query", SCANNING_LINE_QUERIES, ids=repr)
def test_lines_that_are_looked_through_are_found_in_both_directions(
    journal: SqliteJournal,
    lines: list[LogLine],
    query: LogQuery,
    most_scanned: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages_module, "MOST_SCANNED", most_scanned)
    onward = [journal.lines(query, cursor=None, limit=4)]
    while onward[-1].next is not None:
        onward.append(journal.lines(query, cursor=onward[-1].next, limit=4))
    back = [onward[-1]]
    while back[-1].previous is not None:
        back.append(journal.lines(query, cursor=back[-1].previous, limit=4))
    found = [each for page in onward for each in page.items]
    assert [each for page in reversed(back) for each in page.items] == found
    assert len(onward) <= len(lines) // min(most_scanned, 4) + 2


@pytest.mark.parametrize(
    "cursor", ["", "x", "é", "AAAA", "bG9nX2xpbmVzOjE6MQ", "ZXhlY3V0aW9uczoxOjFB", "=" * 9]
)
def test_a_foreign_cursor_is_rejected(journal: SqliteJournal, cursor: str) -> None:
    with pytest.raises(Rejected, match="cursor"):
        journal.executions(ExecutionQuery(), cursor=cursor, limit=10)


def test_a_cursor_of_the_other_list_is_rejected(
    journal: SqliteJournal, lines: list[LogLine]
) -> None:
    cursor = journal.lines(LogQuery(), cursor=None, limit=1).next
    assert cursor is not None
    with pytest.raises(Rejected):
        journal.executions(ExecutionQuery(), cursor=cursor, limit=1)


@pytest.mark.parametrize("commit", ["", "abc", "x" * 40, "a" * 41, "aaaaaaa%"])
def test_what_is_no_commit_is_rejected_rather_than_not_found(
    journal: SqliteJournal, commit: str
) -> None:
    with pytest.raises(Rejected, match="hexadecimal"):
        journal.executions(ExecutionQuery(commit=commit), cursor=None, limit=1)
    with pytest.raises(Rejected, match="hexadecimal"):
        journal.stats(StatsQuery(NOON, NOON + timedelta(hours=1), commit=commit))


def test_a_beginning_that_several_commits_share_stands_for_all_of_them(
    journal: SqliteJournal, execution: Callable[..., ExecutionRecord]
) -> None:
    commits = [f"abcdef{number:x}".ljust(40, "0") for number in (1, 1, 2, 2, 3)]
    for number, commit in enumerate(commits):
        journal.record(execution(number, invocation_id=str(number), commit=commit))
    journal.flush()
    found = pages(journal, ExecutionQuery(commit="abcdef2"), limit=10)
    assert [each.invocation_id for page in found for each in page] == ["3", "2"]
    shared = ["abcdef40" + "0" * 32, "abcdef4" + "f" * 33]
    for number, commit in enumerate(shared):
        journal.record(execution(number, invocation_id=f"s{number}", commit=commit))
    journal.flush()
    for limit in (1, 5):
        found = pages(journal, ExecutionQuery(commit="ABCDEF4"), limit)
        assert [each.invocation_id for page in found for each in page] == ["s1", "s0"]
    stats = journal.stats(StatsQuery(NOON, NOON + timedelta(hours=1), commit="abcdef4"))
    assert sorted(group.commit or "" for group in stats.groups) == shared


def test_a_window_without_time_in_it_is_rejected(journal: SqliteJournal) -> None:
    for until in (NOON, NOON - timedelta(days=1)):
        with pytest.raises(Rejected) as refused:
            journal.executions(ExecutionQuery(since=NOON, until=until), cursor=None, limit=1)
        assert [problem.key for problem in refused.value.problems] == ["until"]
        with pytest.raises(Rejected):
            journal.lines(LogQuery(since=NOON, until=until), cursor=None, limit=1)
        with pytest.raises(Rejected):
            journal.accesses(AccessQuery(since=NOON, until=until), cursor=None, limit=1)


@pytest.mark.parametrize("text", ["grÖße", "GRÖßE", "ошИБка", "SIZE", "🎉"])
def test_text_is_found_in_upper_and_lower_case_of_every_script(
    journal: SqliteJournal,
    execution: Callable[..., ExecutionRecord],
    line: Callable[..., LogLine],
    text: str,
) -> None:
    written = "Size: Größe, Ошибка 🎉"
    journal.record(execution(0, kind=OutcomeKind.ERRORED, error=written))
    journal.record(execution(1))
    journal.log(line(0, text=written))
    journal.log(line(1))
    journal.flush()
    assert len(journal.executions(ExecutionQuery(text=text), cursor=None, limit=5).items) == 1
    assert len(journal.lines(LogQuery(text=text), cursor=None, limit=5).items) == 1


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_without_rows_is_rejected(journal: SqliteJournal, limit: int) -> None:
    with pytest.raises(Rejected):
        journal.lines(LogQuery(), cursor=None, limit=limit)


def test_no_filter_makes_the_database_scan_or_sort(
    journal: SqliteJournal, records: list[ExecutionRecord], lines: list[LogLine]
) -> None:
    statements: list[str] = []
    connection = journal._reader._idle[0] if journal._reader._idle else None
    assert connection is None
    journal.executions(ExecutionQuery(), cursor=None, limit=1)
    connection = journal._reader._idle[0]
    connection.set_trace_callback(statements.append)
    page = journal.executions(ExecutionQuery(), cursor=None, limit=1)
    for query in QUERIES:
        journal.executions(query, cursor=page.next, limit=10)
    back = journal.executions(ExecutionQuery(), cursor=page.next, limit=1).previous
    for query in QUERIES:
        journal.executions(query, cursor=back, limit=10)
    for line_query in LINE_QUERIES:
        journal.lines(line_query, cursor=None, limit=10)
    connection.set_trace_callback(None)
    assert len(statements) > 20
    for statement in statements:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert not any("TEMP B-TREE" in step for step in steps), (statement, steps)
        assert all(step.startswith("SEARCH") or "USING INDEX" in step for step in steps), (
            statement,
            steps,
        )


def test_many_threads_read_while_one_writes(
    journal: SqliteJournal, execution: Callable[..., ExecutionRecord]
) -> None:
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                found = journal.executions(
                    ExecutionQuery(trigger="post-login"), cursor=None, limit=50
                ).items
                assert list(found) == sorted(found, key=lambda each: each.at, reverse=True)
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for minute in range(2000):
        journal.record(execution(minute))
    journal.flush()
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert len(journal.executions(ExecutionQuery(), cursor=None, limit=5000).items) == 2000


def test_a_closed_journal_says_so(journal: SqliteJournal) -> None:
    journal.close()
    with pytest.raises(Stalled, match="closed"):
        journal.lines(LogQuery(), cursor=None, limit=1)
