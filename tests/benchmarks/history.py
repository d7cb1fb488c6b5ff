"""The past of a long log: audit queries of any combination, counts, tables as of old positions."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from app.application.ledger import Ledger
from app.application.views import AuditQuery, AuditRow, CountBy
from app.domain.revisions import Position
from app.eventstore.sqlite import sqlite_environment
from projections.audit_log.cursors import CursorsOf, Place
from projections.audit_log.stored import StoredAuditLog
from projections.event_log import EventLog, StoredEventLog
from projections.hook_table.history import TableHistory
from projections.hook_table.stored import StoredHookTable
from projections.sqlite import SQLiteDatabase
from projections.views import StoredView

PAGE = 50
PAGES = 1000

_MOST_FILTERS = 5
_BATCH = 2000


class Generate(Protocol):
    """Fills a database with events, as many as are wanted."""

    def __call__(
        self, database: Path, events: int, *, hooks: int = 1000, seed: int = 1
    ) -> object: ...


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds."""

    what: str
    median: float
    p99: float
    worst: float


def measure(
    generate: Generate, *, events: int = 1_000_000, hooks: int = 1000, questions: int = 500
) -> Sequence[Times]:
    """Generate a log, build the views, and ask each kind of question so many times."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hookledger.db"
        generate(path, events, hooks=hooks, seed=1)
        ledger = Ledger(sqlite_environment(path))
        with contextlib.closing(ledger), contextlib.closing(SQLiteDatabase(path)) as database:
            log = StoredEventLog(ledger.recorder, ledger.mapper)
            audit, table = StoredAuditLog(database), StoredHookTable(database)
            for view in (audit, table):
                follow(view, log)
            return [*audit_times(audit, questions), *table_times(table, log, questions // 10 + 1)]


def follow(view: StoredView, log: EventLog) -> None:
    """Bring a view up to date."""
    position = view.position()
    while recorded := log.select(position, _BATCH):
        position = view.apply(position, recorded)


def audit_times(audit: StoredAuditLog, questions: int) -> Sequence[Times]:
    """Ask random combinations of filters, on first and deep pages of both orders."""
    ask = _Questions(audit)
    newest = audit.position()
    deep = max(0, newest - PAGE * PAGES)

    def page(query: AuditQuery, *, ascending: bool, place: Place | None) -> object:
        cursor = None if place is None else CursorsOf(query, ascending=ascending).write(place)
        return audit.query(query, cursor=cursor, limit=PAGE, ascending=ascending)

    def timed(what: str, question: Callable[[AuditQuery], object]) -> Times:
        return _times(what, [_seconds(question, ask.random()) for _ in range(questions)])

    return [
        timed("audit, first page", lambda q: page(q, ascending=False, place=None)),
        timed("audit, first page, oldest first", lambda q: page(q, ascending=True, place=None)),
        timed(f"audit, page {PAGES:,}", lambda q: page(q, ascending=False, place=Place(deep))),
        timed(
            f"audit, page {PAGES:,}, backwards",
            lambda q: page(q, ascending=False, place=Place(deep, back=True)),
        ),
        *(
            timed(
                f"counts by {by}, without words",
                lambda q, by=by: audit.counts(dataclasses.replace(q, text=None), by=by),  # type: ignore[misc]
            )
            for by in CountBy
        ),
        timed("counts by day, any", lambda q: audit.counts(q, by=CountBy.DAY)),
    ]


def table_times(table: StoredHookTable, log: EventLog, questions: int) -> Sequence[Times]:
    """Look at random moments of the oldest and of the newest tenth of the log."""
    newest, chance = int(log.head()), random.Random(7)
    tenth = newest // 10
    return [
        _times(
            what,
            [
                _seconds(TableHistory(table, log).as_of, Position(chance.randint(*between)))
                for _ in range(questions)
            ],
        )
        for what, between in (
            ("hooks as of the oldest tenth", (1, max(1, tenth))),
            ("hooks as of the newest tenth", (max(1, newest - tenth), newest)),
        )
    ]


def report(times: Sequence[Times], events: int) -> str:
    """Write the section of the report."""
    lines = [
        f"\n## The past, of {events:,} events\n",
        f"Random combinations of up to {_MOST_FILTERS} filters, {PAGE} rows a page.\n",
        "| question | median | 99 % within | worst |",
        "| --- | --- | --- | --- |",
        *(
            f"| {t.what} | {t.median:.1f} ms | **{t.p99:.1f} ms** | {t.worst:.1f} ms |"
            for t in times
        ),
    ]
    return "\n".join(lines) + "\n"


class _Questions:
    """Random questions that have to do with what is in the log, or with two rows of it."""

    def __init__(self, audit: StoredAuditLog, seed: int = 7) -> None:
        self._chance = random.Random(seed)
        self._newest = int(audit.position())
        self._rows = [self._some_row(audit) for _ in range(300)]

    def random(self) -> AuditQuery:
        """Return up to five filters."""
        makers: dict[str, Callable[[], Any]] = {
            "actor": lambda: self._row().actor,
            "origin": lambda: self._row().origin,
            "hook": lambda: self._chance.choice((self._row().hook, self._row().hook_name)),
            "trigger": lambda: self._row().trigger,
            "type": lambda: self._chance.choice(
                (self._row().type, "hook", f"{self._row().type},{self._row().type}")
            ),
            "commit": lambda: (self._row().commit or "abcdef1")[: self._chance.choice((7, 40))],
            "signer": lambda: (self._row().signer or {}).get("principal"),
            "correlation": lambda: self._row().correlation_id,
            "since": self._at,
            "until": self._at,
            "from_position": lambda: self._chance.randint(0, self._newest),
            "to_position": lambda: self._chance.randint(1, self._newest),
            "text": self._words,
        }
        number = self._chance.choice((0, *range(1, _MOST_FILTERS + 1), 2, 3))
        filters = {name: makers[name]() for name in self._sample([*makers], number)}
        if "since" in filters and "until" in filters:
            # In this order, and with something between them: all else is refused.
            filters["since"], filters["until"] = self._two_instants()
        return AuditQuery(**filters)

    def _sample(self, items: list[str], number: int) -> list[str]:
        return self._chance.sample(items, number)

    def _row(self) -> AuditRow:
        return self._chance.choice(self._rows)

    def _at(self) -> datetime:
        return self._row().at

    def _two_instants(self) -> tuple[datetime, datetime]:
        earlier, later = sorted((self._at(), self._at()))
        return earlier, later if later > earlier else later + timedelta(microseconds=1)

    def _words(self) -> str:
        """Return one or two words, as of types, of names, of people, or of no row at all."""
        known = [self._row().type.rpartition(".")[2], self._row().actor, self._row().hook_name]
        words = [word for word in (*known, "nobody-wrote-this", "hook") if word]
        return " ".join(self._sample(words, self._chance.choice((1, 1, 2))))

    def _some_row(self, audit: StoredAuditLog) -> AuditRow:
        query = AuditQuery(to_position=self._chance.randint(1, self._newest))
        return audit.query(query, cursor=None, limit=1).items[0]


def _seconds(question: Callable[[Any], object], of: object) -> float:
    started = time.perf_counter()
    question(of)
    return time.perf_counter() - started


def _times(what: str, seconds: Sequence[float]) -> Times:
    ordered = sorted(second * 1000 for second in seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return Times(what, statistics.median(ordered), p99, ordered[-1])
