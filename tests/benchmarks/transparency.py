"""The history: verified, proved from, and replayed, each beside what it cannot do without."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from app.application.history.verify_history import Verdict, verify_history
from app.application.ledger import Ledger
from app.domain.revisions import Position
from app.eventstore.raw_events import RawEvents
from app.eventstore.sqlite import sqlite_environment
from projections.audit_log.stored import StoredAuditLog
from projections.event_log import StoredEventLog
from projections.hook_table.stored import StoredHookTable
from projections.rebuild import GROUP, rebuild
from projections.sqlite import SQLiteDatabase
from projections.transparency.reader import open_stored_tree
from projections.transparency.stored import StoredTransparencyLog
from tests.benchmarks.event_log import generate

ROOT = Path(__file__).resolve().parents[2]
_BATCH = 500
_SEARCHED = " || ' ' || ".join(
    f"coalesce({column}, '')"
    for column in ["type", "actor", "subject", "hook_name", "commit_sha", "correlation_id", "data"]
)
_PROOFS = 200


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one log; rates are events a second, memory is the process's highest."""

    events: int
    megabytes: float
    read: float
    """Reading and decoding alone."""
    tree: float
    """Rebuilding the Merkle tree."""
    hooks_and_tree: float
    everything: float
    """Rebuilding tree, hook table and audit log with its indexes."""
    audit_rows: float
    """SQLite alone, copying the audit log's finished rows and indexing their words."""
    rebuild_mib: float
    verify_seconds: float
    verify_mib: float
    inclusion_ms: float
    inclusion_worst_ms: float
    consistency_ms: float


def measure(events: int = 1_000_000, *, hooks: int = 1000) -> Measured:
    """Generate a log, replay and verify it, each in a process of its own for the memory's sake."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hookledger.db"
        generate(path, events, hooks=hooks)
        replayed = _in_process("replay", path)
        verified = _in_process("verify", path)
        return Measured(events=events, megabytes=path.stat().st_size / 1e6, **replayed, **verified)


def replay(path: Path) -> dict[str, float]:
    """Read alone, then rebuild more and more."""
    database = SQLiteDatabase(path)
    with (
        contextlib.closing(Ledger(sqlite_environment(path))) as ledger,
        contextlib.closing(database),
    ):
        log = StoredEventLog(ledger.recorder, ledger.mapper)
        events = ledger.head()
        hooks, audit, tree = (
            StoredHookTable(database),
            StoredAuditLog(database),
            StoredTransparencyLog(database),
        )
        rates = {
            "read": lambda: _read(log),
            "tree": lambda: list(rebuild([tree], log)),
            "hooks_and_tree": lambda: list(rebuild([hooks, tree], log)),
            "everything": lambda: list(rebuild([hooks, audit, tree], log)),
        }
        measured = {name: events / _seconds(run) for name, run in rates.items()}
    memory = _mebibytes()
    return measured | {"rebuild_mib": memory, "audit_rows": events / _copy_audit_rows(path)}


def _copy_audit_rows(path: Path) -> float:
    """Let SQLite do its part of the audit log without a line of Python; return the seconds."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_schema WHERE name LIKE 'audit_log%_events'"
        )
        ((events,),) = names.fetchall()
        connection.execute(f"CREATE TABLE floor_rows AS SELECT * FROM {events} LIMIT 0")
        connection.execute("CREATE VIRTUAL TABLE floor_words USING fts5(text, content='')")
        (newest,) = connection.execute(f"SELECT max(position) FROM {events}").fetchone()
        began = time.perf_counter()
        for low in range(0, newest + 1, GROUP):
            part = f"FROM {events} WHERE position BETWEEN {low} AND {low + GROUP - 1}"
            connection.execute(f"INSERT INTO floor_rows SELECT * {part}")
            connection.execute(
                f"INSERT INTO floor_words (rowid, text) SELECT position, {_SEARCHED} {part}"
            )
            connection.commit()
        return time.perf_counter() - began


def verify(path: Path) -> dict[str, float]:
    """Verify everything, then prove events all over the log."""
    began = time.perf_counter()
    with open_stored_tree(path) as stored:
        report = verify_history(RawEvents(path).blocks(), stored, ())
    seconds, memory = time.perf_counter() - began, _mebibytes()
    assert report.verdict is Verdict.INTACT
    assert report.tree_size == report.events
    with contextlib.closing(SQLiteDatabase(path)) as database:
        tree, size = StoredTransparencyLog(database), report.events
        every = [1 + n * (size - 1) // _PROOFS for n in range(_PROOFS)]
        inclusions = [_seconds(partial(tree.inclusion, [Position(at)], size)) for at in every]
        consistencies = [_seconds(partial(tree.consistency, at, size)) for at in every]
    return {
        "verify_seconds": seconds,
        "verify_mib": memory,
        "inclusion_ms": statistics.median(inclusions) * 1e3,
        "inclusion_worst_ms": max(inclusions) * 1e3,
        "consistency_ms": statistics.median(consistencies) * 1e3,
    }


def _read(log: StoredEventLog) -> None:
    position = Position(0)
    while recorded := log.select(position, _BATCH):
        position = recorded[-1].position


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_process(what: str, path: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.transparency", what, path],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    measured: dict[str, float] = orjson.loads(done.stdout)
    return measured


if __name__ == "__main__":
    measured = {"replay": replay, "verify": verify}[sys.argv[1]](Path(sys.argv[2]))
    sys.stdout.buffer.write(orjson.dumps(measured))
