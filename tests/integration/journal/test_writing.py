"""What is recorded is stored soon, survives, and is never lost silently."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.application.journal_views import ExecutionQuery, ExecutionRecord, LogQuery
from app.application.ports import Journal
from app.domain.errors import Stalled, Transient
from app.domain.outcomes import LogLine, OutcomeKind
from app.journal.database import open_for_writing
from app.journal.retention import Retention
from app.journal.sqlite import SqliteJournal

Open = Callable[..., SqliteJournal]
MakeExecution = Callable[..., ExecutionRecord]
MakeLine = Callable[..., LogLine]
ALL = ExecutionQuery()
EVERY_LINE = LogQuery()
NAIVE = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def stored(journal: SqliteJournal) -> list[ExecutionRecord]:
    return list(journal.executions(ALL, cursor=None, limit=100_000).items)


def stored_lines(journal: SqliteJournal) -> list[LogLine]:
    return [each.line for each in journal.lines(EVERY_LINE, cursor=None, limit=100_000).items]


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        pause.wait(0.005)


def test_it_is_a_journal(journal: SqliteJournal, execution: MakeExecution) -> None:
    port: Journal = journal
    port.record(execution())
    journal.flush()
    assert port.executions(ALL, cursor=None, limit=1).items == (execution(),)


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_a_record_comes_back_as_it_went_in(
    journal: SqliteJournal, execution: MakeExecution, kind: OutcomeKind
) -> None:
    at = datetime(2031, 5, 17, 3, 4, 5, 678_901, tzinfo=UTC)
    full = execution(kind=kind, at=at, error="Error: no\nway ☃")
    bare = execution(1, hook_id=None, hook_name=None, commit=None, kind=kind)
    journal.record(full)
    journal.record(bare)
    journal.flush()
    assert stored(journal) == [full, bare]


def test_a_line_comes_back_as_it_went_in(journal: SqliteJournal, line: MakeLine) -> None:
    lines = [
        line(1, text="tab\tnul\0snow ☃", level="error", stream="log"),
        line(0, invocation_id=None, text=""),
    ]
    for each in lines:
        journal.log(each)
    journal.flush()
    assert stored_lines(journal) == lines


def test_everything_is_stored_soon_without_asking(
    open_journal: Open, execution: MakeExecution, line: MakeLine
) -> None:
    journal = open_journal(flush_interval=0.05)
    journal.record(execution())
    journal.log(line())
    until(lambda: len(stored(journal)) == 1 and len(stored_lines(journal)) == 1)


def test_closing_stores_what_is_left(open_journal: Open, execution: MakeExecution) -> None:
    journal = open_journal(flush_interval=60)
    for minute in range(250):
        journal.record(execution(minute))
    journal.close()
    assert len(stored(open_journal())) == 250


def test_what_was_flushed_survives_kill_9(path: Path, open_journal: Open) -> None:
    program = f"""
import datetime, os, pathlib, signal
from app.domain.outcomes import LogLine
from app.journal.sqlite import SqliteJournal
now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
journal = SqliteJournal(pathlib.Path({str(path)!r}), lambda: now, flush_interval=60)
for number in range(1000):
    journal.log(LogLine("i", "h", now, "info", "stdout", str(number)))
journal.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    child = subprocess.run([sys.executable, "-c", program], timeout=60)
    assert child.returncode == -9
    gap, *lines = stored_lines(open_journal())
    assert [each.text for each in lines] == [str(number) for number in reversed(range(1000))]
    assert (gap.at, gap.level) == (lines[0].at, "warning")
    assert "up to 60000 ms of records and log lines may be missing" in gap.text


def test_a_journal_that_was_closed_has_no_gap(open_journal: Open, line: MakeLine) -> None:
    first = open_journal()
    first.log(line())
    first.close()
    assert len(stored_lines(open_journal())) == 1


def test_recording_never_waits_for_a_locked_file(
    open_journal: Open, path: Path, execution: MakeExecution, caplog: pytest.LogCaptureFixture
) -> None:
    journal = open_journal(max_buffer=10)
    journal._writer._connection.execute("PRAGMA busy_timeout = 10")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    journal.record(execution(0))
    until(lambda: any("cannot be written" in message for message in caplog.messages))
    before = time.monotonic()
    for minute in range(1, 16):
        journal.record(execution(minute))
    assert time.monotonic() - before < 1
    with pytest.raises(Transient):
        journal.flush(timeout=0.05)
    blocker.execute("ROLLBACK")
    blocker.close()
    journal.flush()
    kept = [each.invocation_id for each in stored(journal)]
    assert kept == [f"i{minute}" for minute in (*range(15, 5, -1), 0)]
    assert journal.counters.dropped_executions == 5
    notices = [each.text for each in stored_lines(journal)]
    assert notices == [
        "hookledger: 5 execution records were dropped here, for want of room in the journal's buffer"
    ]
    assert any("5 executions were dropped" in message for message in caplog.messages)
    assert any("can be written again" in message for message in caplog.messages)


def test_dropped_lines_are_counted_and_told_in_the_journal(
    open_journal: Open, line: MakeLine
) -> None:
    journal = open_journal(flush_interval=60, max_buffer=3)
    for minute in range(10):
        journal.log(line(minute, hook_id="noisy"))
    journal.flush()
    assert journal.counters.dropped_lines == 7
    texts = [each.text for each in stored_lines(journal) if each.hook_id == "noisy"]
    assert sum("7 log lines of this hook were dropped" in text for text in texts) == 1
    assert {"line 7", "line 8", "line 9"} < set(texts)


def test_closing_gives_up_on_a_file_that_cannot_be_written_and_says_what_is_lost(
    open_journal: Open, path: Path, execution: MakeExecution, caplog: pytest.LogCaptureFixture
) -> None:
    journal = open_journal()
    journal._writer._connection.execute("PRAGMA busy_timeout = 10")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    journal.record(execution())
    journal.close(timeout=0.1)
    blocker.close()
    assert any(
        "1 executions and 0 log lines of the journal" in message for message in caplog.messages
    )
    assert journal.counters.dropped_executions == 1


def test_one_bad_record_does_not_take_its_batch_along(
    open_journal: Open, execution: MakeExecution, line: MakeLine, caplog: pytest.LogCaptureFixture
) -> None:
    journal = open_journal(flush_interval=60)
    bad: list[Any] = [
        execution(1, at=NAIVE),
        execution(2, request_bytes=1 << 70),
        object(),
    ]
    for each in (execution(0), *bad, execution(3)):
        journal.record(each)
    journal.log(line(0, text="half a pair: \ud83d."))
    journal.flush()
    assert [each.invocation_id for each in stored(journal)] == ["i3", "i0"]
    assert [each.text for each in stored_lines(journal)] == ["half a pair: ?."]
    assert journal.counters.dropped_executions == 3
    assert journal.counters.stored_executions == 2


def test_old_rows_are_forgotten(
    open_journal: Open, execution: MakeExecution, line: MakeLine
) -> None:
    first = open_journal()
    for minute in range(-1300, 0):
        first.record(execution(minute))
        first.log(line(minute))
    first.close()
    journal = open_journal(retention=Retention(age=timedelta(minutes=10, seconds=30)))
    until(lambda: len(stored(journal)) == 10 and len(stored_lines(journal)) == 10)
    assert [each.invocation_id for each in stored(journal)] == [
        f"i{minute}" for minute in range(-1, -11, -1)
    ]


def test_the_file_stays_within_its_size_and_keeps_the_newest(
    open_journal: Open, path: Path, line: MakeLine, execution: MakeExecution
) -> None:
    limit = 1 << 20
    journal = open_journal(retention=Retention(max_bytes=limit))
    journal.record(execution(-1))
    for turn in range(6):
        for minute in range(1000):
            journal.log(line(turn * 1000 + minute, text="x" * 400))
        journal.flush()
    journal.record(execution(10_000))

    def live_bytes() -> int:
        connection = sqlite3.connect(path)
        pages, free = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count")
        )
        connection.close()
        return int(pages - free) * 4096

    until(lambda: live_bytes() <= limit)
    kept = stored_lines(journal)
    assert 500 < len(kept) < 3000
    assert kept[0].invocation_id == "i5999"
    assert kept[-1].invocation_id == f"i{6000 - len(kept)}"
    journal.flush()
    assert [each.invocation_id for each in stored(journal)] == ["i10000"]
    journal.close()
    assert path.stat().st_size < 2 * limit


def test_retention_that_would_keep_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="retention"):
        Retention(max_bytes=1000)
    with pytest.raises(ValueError, match="retention"):
        Retention(age=timedelta(0))


def test_the_file_is_closed_to_others(journal: SqliteJournal, path: Path) -> None:
    assert all(file.stat().st_mode & 0o077 == 0 for file in path.parent.glob(f"{path.name}*"))


def test_a_journal_of_a_newer_server_is_refused(path: Path, open_journal: Open) -> None:
    connection = open_for_writing(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Stalled, match="format 99"):
        open_journal()


def test_a_file_that_is_no_database_is_refused(path: Path, open_journal: Open) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be taken for one" * 50)
    with pytest.raises(Stalled, match=str(path)):
        open_journal()
