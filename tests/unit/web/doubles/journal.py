"""The journal, who looked at what, and the queue, kept in lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.application.journal_views import (
    Access,
    AccessQuery,
    AccessRecord,
    ExecutionQuery,
    ExecutionRecord,
    Latency,
    LogQuery,
    Recording,
    Stats,
    StatsGroup,
    StatsPoint,
    StatsQuery,
    StoredExecution,
    StoredLine,
    Tally,
)
from app.application.views import (
    Delivery,
    Page,
)
from app.domain.outcomes import LogLine, OutcomeKind
from tests.unit.web.doubles import NOW, PRE


@dataclass
class FakeJournal:
    records: list[ExecutionRecord] = field(default_factory=list)
    stored: list[StoredLine] = field(default_factory=list)
    asked: list[tuple[ExecutionQuery | LogQuery, str | None, int]] = field(default_factory=list)
    recorded: list[Recording] = field(default_factory=list)
    asked_stats: list[StatsQuery] = field(default_factory=list)

    def record(self, execution: ExecutionRecord) -> None:
        self.records.insert(0, execution)

    def log(self, line: LogLine) -> None:
        raise AssertionError("HTTP writes no lines")

    def executions(
        self, query: ExecutionQuery, *, cursor: str | None, limit: int
    ) -> Page[ExecutionRecord]:
        self.asked.append((query, cursor, limit))
        more = len(self.records) > limit
        return Page(tuple(self.records[:limit]), "more" if more else None)

    def lines(self, query: LogQuery, *, cursor: str | None, limit: int) -> Page[StoredLine]:
        self.asked.append((query, cursor, limit))
        return Page(tuple(self.stored[:limit]), None)

    def lines_after(self, sequence: int, limit: int) -> Sequence[StoredLine]:
        later = sorted((one for one in self.stored if one.sequence > sequence), key=_number)
        return later[:limit]

    def executions_after(self, sequence: int, limit: int) -> Sequence[StoredExecution]:
        oldest_first = enumerate(reversed(self.records), start=1)
        return [StoredExecution(n, one) for n, one in oldest_first if n > sequence][:limit]

    def newest(self) -> tuple[int, int]:
        return len(self.records), max(map(_number, self.stored), default=0)

    def recordings(self, invocation_id: str) -> Sequence[Recording]:
        return [one for one in self.recorded if one.invocation_id == invocation_id]

    def is_recorded(self, invocation_id: str) -> bool:
        return bool(self.recordings(invocation_id))

    def stats(self, query: StatsQuery) -> Stats:
        self.asked_stats.append(query)
        nothing = Tally({}, Latency(None, None, None), Latency(None, None, None))
        one = Tally({OutcomeKind.ERRORED: 1}, Latency(2, 3, 4), Latency(1, 2, 3))
        group = StatsGroup(PRE, "01J", "a-hook", "c" * 40, one)
        point = StatsPoint(query.since, nothing)
        return Stats(query.since, query.until, 60, one, (group,), (point,))


def _number(stored: StoredLine) -> int:
    return stored.sequence


@dataclass
class FakeAccessLog:
    noted: list[Access] = field(default_factory=list)
    asked: list[AccessQuery] = field(default_factory=list)

    def note(self, access: Access) -> None:
        self.noted.append(access)

    def accesses(self, query: AccessQuery, *, cursor: str | None, limit: int) -> Page[AccessRecord]:
        self.asked.append(query)
        return Page(tuple(AccessRecord(one, 1, NOW, NOW) for one in self.noted[:limit]), None)


@dataclass
class FakeQueue:
    deliveries: list[Delivery] = field(default_factory=list)

    async def enqueue(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
