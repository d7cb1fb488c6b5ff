"""Figures of the last hour, said from the journal's counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.application.journal_views import Latency, Stats, StatsPoint, StatsQuery, Tally
from app.domain.errors import Rejected
from app.domain.outcomes import OutcomeKind
from app.web.dashboard.journal.traffic import BARS, traffic_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOTHING = Latency(None, None, None)


def tally(good: int, bad: int = 0) -> Tally:
    took = Latency(1, 20, 30)
    return Tally({OutcomeKind.SUCCEEDED: good, OutcomeKind.ERRORED: bad}, took, took)


def stats(overall: Tally, *points: StatsPoint) -> Stats:
    return Stats(NOON, NOON + 60 * MINUTE, 60, overall, (), points)


def test_each_minute_has_its_bar() -> None:
    found = traffic_of(
        stats(
            tally(9, 3),
            StatsPoint(NOON, tally(2)),
            StatsPoint(NOON + 7 * MINUTE, tally(3, 3)),
            StatsPoint(NOON + 59 * MINUTE, tally(4)),
        )
    )
    assert {place: count for place, count in enumerate(found.bars) if count} == {0: 2, 7: 6, 59: 4}
    assert len(found.bars) == BARS
    assert (found.invocations, found.failed, found.failing) == (12, 3, 0.25)
    assert (found.per_minute, found.p95) == (0.2, 20)


def test_where_nothing_ran_nothing_fails() -> None:
    found = traffic_of(stats(Tally({}, NOTHING, NOTHING)))
    assert (found.invocations, found.failing, found.p95) == (0, None, None)


def test_more_than_can_be_added_up_is_said_by_trigger(
    site: Any, browser: Any, make_hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put(make_hook())

    def counted(query: StatsQuery) -> Stats:
        if query.trigger is None:
            raise Rejected("The window holds more than 50000 counts.")
        return Stats(query.since, query.until, 60, tally(1, 1), (), ())

    monkeypatch.setattr(site.journal, "stats", counted)
    browser.sign_in()
    page = browser.get("/").text
    assert "Too many hooks ran in the last hour" in page
    assert "50.0 %" in page
