"""A data folder as a busy server leaves it: a long history, its projections, and a full journal."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.application.journal_views import ExecutionRecord
from app.application.ledger import Ledger
from app.application.views import ActiveTable, HookRow
from app.domain.outcomes import Level, LogLine, OutcomeKind
from app.domain.triggers.catalogue import CONTRACTS
from app.eventstore.sqlite import sqlite_environment
from app.journal.sqlite import SqliteJournal
from projections.audit_log.stored import StoredAuditLog
from projections.event_log import StoredEventLog
from projections.hook_table.stored import StoredHookTable
from projections.rebuild import rebuild
from projections.sqlite import SQLiteDatabase
from projections.transparency.stored import StoredTransparencyLog
from tests.benchmarks.event_log import generate
from tests.benchmarks.processes import git, make_repository

SOURCE = "recent"
"""The source that is followed; what the history tells of another one stays as it is."""

_GROUP = 20_000
_SPAN = timedelta(hours=20)
_KINDS = (OutcomeKind.SUCCEEDED,) * 97 + (OutcomeKind.ERRORED,) * 2 + (OutcomeKind.TIMED_OUT,)


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is in a folder."""

    events: int = 1_000_000
    hooks: int = 1000
    invocations: int = 200_000


def fill(root: Path, size: Size) -> Path:
    """Fill the server's folder ``root/var``, and return a repository beside it to follow."""
    database = root / "var" / "hookledger.db"
    generate(database, size.events, hooks=size.hooks)
    table = _project(database)
    _write_journal(root / "var" / "journal.db", table, size.invocations)
    return _repository(root)


def _project(path: Path) -> ActiveTable:
    with (
        contextlib.closing(Ledger(sqlite_environment(path))) as ledger,
        contextlib.closing(SQLiteDatabase(path)) as database,
    ):
        table = StoredHookTable(database)
        views = (table, StoredAuditLog(database), StoredTransparencyLog(database))
        for _ in rebuild(views, StoredEventLog(ledger.recorder, ledger.mapper)):
            pass
        return table.load_table()


def _write_journal(path: Path, table: ActiveTable, invocations: int) -> None:
    """Let the enabled hooks, and some that were, answer until just now; each writes a line."""
    chance, now = random.Random(5), datetime.now(UTC)
    enabled = [hook for trigger in CONTRACTS for hook in table.active_hooks(trigger)]
    answering = [*enabled, *list(table.hooks.values())[:50]]
    step = _SPAN / max(1, invocations)
    with contextlib.closing(SqliteJournal(path, lambda: now)) as journal:
        for number in range(invocations):
            at = now - _SPAN + number * step
            record = _record(chance.choice(answering), number, at, chance)
            journal.record(record)
            journal.log(_line(record, chance))
            if number % _GROUP == 0:
                journal.flush(timeout=120)
        journal.flush(timeout=120)


def _record(hook: HookRow, number: int, at: datetime, chance: random.Random) -> ExecutionRecord:
    ran, kind = chance.expovariate(1 / 3) + 0.2, chance.choice(_KINDS)
    return ExecutionRecord(
        invocation_id=f"01KV{number:022}",
        at=at,
        trigger=hook.trigger,
        hook_id=hook.id,
        hook_name=hook.name,
        commit=hook.commit,
        position=hook.position,
        caller="01HC0000000000000000000001",
        kind=kind,
        error=None if kind is OutcomeKind.SUCCEEDED else "PreUserRegistrationError: not today",
        queued_ms=0.1,
        ran_ms=ran,
        total_ms=ran + 0.4,
        request_bytes=chance.randint(200, 2000),
        response_bytes=chance.randint(20, 400),
    )


def _line(record: ExecutionRecord, chance: random.Random) -> LogLine:
    text = f"looked at sign-up {chance.randrange(10**6)} in {record.ran_ms:.2f} ms"
    level: Level = "info" if record.kind is OutcomeKind.SUCCEEDED else "error"
    assert record.hook_id is not None
    return LogLine(record.invocation_id, record.hook_id, record.at, level, "stdout", text)


def _repository(root: Path) -> Path:
    """Make a repository of ten hooks that stay disabled, since the history enables others."""
    repository = make_repository(root, 10)
    for manifest in repository.rglob("hook.toml"):
        manifest.write_text("enabled = false\n")
    git(repository, "commit", "--quiet", "--all", "--message", "Enable none")
    return repository
