"""The buffer is bounded, drops the oldest lines first, and never loses count."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from app.application.journal_views import ExecutionRecord
from app.domain.outcomes import LogLine, OutcomeKind
from app.domain.revisions import Position
from app.journal.buffer import Buffer, Signals

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def line(text: str, hook: str = "h") -> LogLine:
    return LogLine(None, hook, NOON, "info", "stdout", text)


def execution(invocation_id: str) -> ExecutionRecord:
    return ExecutionRecord(
        invocation_id,
        NOON,
        "t",
        None,
        None,
        None,
        Position(0),
        "c",
        OutcomeKind.SUCCEEDED,
        None,
        0,
        0,
        0,
        0,
        0,
    )


def test_a_full_buffer_drops_the_oldest_lines_and_counts_them_by_hook() -> None:
    buffer = Buffer(Signals(), max_items=3, max_bytes=10_000)
    for number in range(5):
        buffer.add_line(line(str(number), hook=f"h{number % 2}"))
    batch = buffer.take()
    assert [kept.text for kept in batch.lines] == ["2", "3", "4"]
    assert batch.dropped_lines == {"h0": 1, "h1": 1}
    assert batch.ticket == 5


def test_long_lines_count_by_their_length() -> None:
    buffer = Buffer(Signals(), max_items=1000, max_bytes=3000)
    for number in range(4):
        buffer.add_line(line(str(number) * 1000))
    assert [kept.text[0] for kept in buffer.take().lines] == ["2", "3"]


def test_lines_never_push_executions_out() -> None:
    buffer = Buffer(Signals(), max_items=3, max_bytes=10_000)
    buffer.add_execution(execution("kept"))
    for number in range(100):
        buffer.add_line(line(str(number)))
    batch = buffer.take()
    assert [kept.invocation_id for kept in batch.executions] == ["kept"]
    assert batch.dropped_executions == 0


def test_executions_are_bounded_too_and_counted() -> None:
    buffer = Buffer(Signals(), max_items=3, max_bytes=10_000)
    for number in range(5):
        buffer.add_execution(execution(str(number)))
    batch = buffer.take()
    assert [kept.invocation_id for kept in batch.executions] == ["2", "3", "4"]
    assert batch.dropped_executions == 2


def test_taking_empties_it_and_starts_counting_anew() -> None:
    buffer = Buffer(Signals(), max_items=1, max_bytes=10_000)
    buffer.add_line(line("1"))
    buffer.add_line(line("2"))
    assert not buffer.take().is_empty
    assert buffer.take().is_empty
    assert buffer.added == 2


def test_it_wakes_the_writer_and_hurries_it_when_much_waits() -> None:
    signals = Signals()
    buffer = Buffer(signals, max_items=10_000, max_bytes=100_000_000)
    assert not signals.filled.is_set()
    buffer.add_line(line("1"))
    assert signals.filled.is_set()
    assert not signals.hurry.is_set()
    for _ in range(5000):
        buffer.add_line(line("1"))
    assert signals.hurry.is_set()


def test_nothing_is_lost_between_threads() -> None:
    buffer = Buffer(Signals(), max_items=100_000, max_bytes=100_000_000)
    taken: list[str] = []
    done = threading.Event()

    def add(name: int) -> None:
        for number in range(2000):
            buffer.add_execution(execution(f"{name}-{number}"))

    def take() -> None:
        while not done.is_set():
            taken.extend(each.invocation_id for each in buffer.take().executions)

    taker = threading.Thread(target=take)
    adders = [threading.Thread(target=add, args=(name,)) for name in range(4)]
    taker.start()
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join()
    done.set()
    taker.join()
    taken.extend(each.invocation_id for each in buffer.take().executions)
    assert sorted(taken) == sorted(
        f"{name}-{number}" for name in range(4) for number in range(2000)
    )


def test_what_comes_after_closing_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    buffer = Buffer(Signals(), max_items=10, max_bytes=1000)
    buffer.close()
    buffer.add_execution(execution("late"))
    buffer.add_line(line("late", hook="h9"))
    assert buffer.take().is_empty
    assert "late" in caplog.messages[0]
    assert "h9" in caplog.messages[1]
