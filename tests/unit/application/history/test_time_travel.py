"""Which position a moment names, and clear words for what names none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from app.application.history.time_travel import TimeTravel
from app.application.views import ActiveTable, AuditQuery, AuditRow, CountBy, Counts, Page
from app.domain.errors import HookledgerError, NotFound, Rejected, Transient
from app.domain.revisions import Position

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOW = START + timedelta(hours=1)
A, B, C = "a" * 40, "ab" * 20, "c" * 40


def row(position: int, type_: str, commit: str | None) -> AuditRow:
    return AuditRow(
        position=Position(position),
        at=START + timedelta(seconds=position),
        type=type_,
        actor="x",
        origin="git",
        subject="s",
        hook=None,
        hook_name=None,
        trigger=None,
        source=None,
        commit=commit,
        correlation_id=None,
        reason=None,
        data={},
    )


@dataclass
class FakeAudit:
    rows: list[AuditRow]

    def query(
        self, query: AuditQuery, *, cursor: str | None, limit: int, ascending: bool = False
    ) -> Page[AuditRow]:
        found = [
            each
            for each in self.rows
            if each.commit == query.commit
            and query.type in (None, each.type)
            and each.position >= (query.from_position or 0)
        ]
        return Page(tuple(found[:: 1 if ascending else -1][:limit]), None)

    def counts(self, query: AuditQuery, *, by: CountBy) -> Counts:
        raise AssertionError("a moment needs no counts")

    def commits(self, prefix: str, limit: int) -> Sequence[str]:
        known = {each.commit for each in self.rows if each.commit is not None}
        return sorted(commit for commit in known if commit.startswith(prefix))[:limit]

    def position_at(self, at: datetime) -> Position:
        return max((each.position for each in self.rows if each.at <= at), default=Position(0))

    def position(self) -> Position:
        return self.rows[-1].position


@dataclass
class FakeHistory:
    head: Position
    asked: list[Position] = field(default_factory=list)

    def newest(self) -> Position:
        return self.head

    def as_of(self, position: Position) -> ActiveTable:
        self.asked.append(position)
        return ActiveTable(position=position)


ROWS = [
    row(1, "client.created", None),
    row(2, "hook.created", A),
    row(3, "source.revision_applied", A),
    row(4, "sync_run.completed", A),
    row(5, "hook.secret_set", None),
    row(6, "source.revision_rejected", B),
    row(7, "source.revision_applied", C),
    row(8, "source.revision_applied", A),
    row(9, "hook.deleted", None),
    row(10, "hook.created", A),
]


@pytest.fixture
def past() -> TimeTravel:
    return travel()


def travel(
    rows: list[AuditRow] | None = None,
    caught_up: Callable[[Position, float], bool] = lambda _position, _timeout: True,
) -> TimeTravel:
    rows = ROWS if rows is None else rows
    return TimeTravel(FakeHistory(Position(len(rows))), FakeAudit(rows), lambda: NOW, caught_up)


@pytest.mark.parametrize(
    ("moment", "position"),
    [
        ("1", 1),
        ("10", 10),
        (" 5 ", 5),
        (C, 7),
        (C[:7], 7),
        (C[:9].upper(), 7),
        ("2026-11-22T12:00:05Z", 5),
        ("2026-11-22T12:00:05.9z", 5),
        ("2026-11-22T13:00:05+01:00", 5),
        ("2026-11-22T13:00:05 01:00", 5),
        ("2026-11-22T12:59:59Z", 10),
    ],
)
def test_a_moment_names_a_position(past: TimeTravel, moment: str, position: int) -> None:
    assert past.position_of(moment) == position
    assert past.as_of(moment).position == position


def test_a_commit_is_the_end_of_what_applied_it_last(past: TimeTravel) -> None:
    """Events of one transaction stand together; what names the commit later is another matter."""
    assert past.position_of(A) == 8
    assert travel(ROWS[:7]).position_of(A) == 4


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("0", "before the first event"),
        ("11", "in the future: the newest position is 10"),
        ("123456", "in the future"),
        ("2026-11-22T13:00:01Z", "in the future"),
        ("2026-11-22T12:00:00Z", "before the first event"),
        ("2026-11-22T12:00:00", "must be a position, a time with its zone"),
        ("2026-02-30T12:00:00Z", "must be a position"),
        ("0001-01-01T00:00:00+23:59", "must be a position"),
        ("2026-11-22", "must be a position"),
        ("abcdef", "must be a position"),
        ("-1", "must be a position"),
        ("\u0661", "must be a position"),
        ("main", "must be a position"),
        ("", "must be a position"),
    ],
)
def test_what_names_no_moment_is_refused(past: TimeTravel, moment: str, words: str) -> None:
    with pytest.raises(Rejected) as caught:
        past.position_of(moment, key="from")
    (problem,) = caught.value.problems
    assert problem.key == "from"
    assert words in problem.message


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("1234567", "begins with `1234567`"),
        ("9" * 40, "begins with"),
        (B[:8], "never applied"),
    ],
)
def test_a_commit_that_left_nothing_is_not_found(past: TimeTravel, moment: str, words: str) -> None:
    with pytest.raises(NotFound, match=words):
        past.position_of(moment)


def test_an_ambiguous_beginning_lists_the_commits() -> None:
    commits = [f"abcdef1{number}" + "0" * 32 for number in range(7)]
    rows = [row(n, "source.revision_applied", commit) for n, commit in enumerate(commits, 1)]
    with pytest.raises(Rejected) as caught:
        travel(rows).position_of("abcdef1")
    (problem,) = caught.value.problems
    assert "several commits" in problem.message
    assert commits[4] in problem.message
    assert commits[5] not in problem.message
    assert problem.message.endswith("…")


def test_an_empty_ledger_has_no_past() -> None:
    with pytest.raises(Rejected, match="nothing has happened yet"):
        travel([]).position_of("1")


@pytest.mark.parametrize("moment", [A, "2026-11-22T12:00:05Z"])
def test_times_and_commits_wait_for_the_audit_log(moment: str) -> None:
    asked: list[Position] = []

    def behind(position: Position, _timeout: float) -> bool:
        asked.append(position)
        return False

    with pytest.raises(Transient):
        travel(caught_up=behind).position_of(moment)
    assert asked == [10]
    assert travel(caught_up=behind).position_of("3") == 3


def test_every_refusal_is_an_error_of_ours(past: TimeTravel) -> None:
    for moment in ("'; DROP TABLE x; --", "%", "9" * 400, "a" * 400, "\x00"):
        with pytest.raises(HookledgerError):
            past.position_of(moment)
