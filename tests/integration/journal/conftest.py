"""A journal on a real file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.application.journal_views import ExecutionRecord
from app.domain.outcomes import LogLine, OutcomeKind
from app.domain.revisions import Position
from app.journal.sqlite import SqliteJournal

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Callable[[], datetime]:
    return lambda: NOON


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "journal.db"


@pytest.fixture
def open_journal(
    path: Path, clock: Callable[[], datetime]
) -> Iterator[Callable[..., SqliteJournal]]:
    opened: list[SqliteJournal] = []

    def open_it(**options: Any) -> SqliteJournal:
        options = {"clock": clock, "flush_interval": 0.01, **options}
        opened.append(SqliteJournal(path, **options))
        return opened[-1]

    yield open_it
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(open_journal: Callable[..., SqliteJournal]) -> SqliteJournal:
    return open_journal()


@pytest.fixture
def execution() -> Callable[..., ExecutionRecord]:
    """Make a record, ``minute`` minutes after noon."""

    def make(minute: float = 0, **changes: Any) -> ExecutionRecord:
        values: dict[str, Any] = {
            "invocation_id": f"i{minute}",
            "at": NOON + timedelta(minutes=minute),
            "trigger": "post-login",
            "hook_id": "01JAAAAAAAAAAAAAAAAAAAAAAA",
            "hook_name": "greet",
            "commit": "c" * 40,
            "position": Position(7),
            "caller": "client",
            "kind": OutcomeKind.SUCCEEDED,
            "error": None,
            "queued_ms": 0.25,
            "ran_ms": 1.5,
            "total_ms": 2.0,
            "request_bytes": 300,
            "response_bytes": 20,
        }
        return ExecutionRecord(**{**values, **changes})

    return make


@pytest.fixture
def line() -> Callable[..., LogLine]:
    """Make a line, ``minute`` minutes after noon."""

    def make(minute: float = 0, **changes: Any) -> LogLine:
        values: dict[str, Any] = {
            "invocation_id": f"i{minute}",
            "hook_id": "01JAAAAAAAAAAAAAAAAAAAAAAA",
            "at": NOON + timedelta(minutes=minute),
            "level": "info",
            "stream": "stdout",
            "text": f"line {minute}",
        }
        return LogLine(**{**values, **changes})

    return make
