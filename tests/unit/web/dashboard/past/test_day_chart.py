"""Days are drawn along an axis of time, those without events left empty."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from app.web.dashboard.past.day_chart import HEIGHT, MOST_DAYS, WIDTH, DayChart, day_chart


def bars(chart: DayChart) -> list[tuple[float, float, float]]:
    """Return left edge, height and width of each bar."""
    found = re.findall(r"M([\d.]+) 48v-([\d.]+)h([\d.]+)V48z", chart.path)
    return [(float(left), float(height), float(width)) for left, height, width in found]


def test_nothing_counted_is_no_chart() -> None:
    assert day_chart({}) is None


def test_every_day_has_its_place_and_a_day_without_events_no_bar() -> None:
    chart = day_chart({"2026-11-01": 2, "2026-11-04": 4})
    assert chart is not None
    assert list(chart.counts) == [2, 0, 0, 4]
    assert (chart.days, chart.most) == (2, 4)
    assert chart.last == datetime(2026, 11, 4, tzinfo=UTC)
    (first, low, _), (last, high, _) = bars(chart)
    assert (first, last) == (0.0, WIDTH * 3 / 4)
    assert (low, high) == (HEIGHT / 2, HEIGHT)


def test_one_event_among_many_is_seen() -> None:
    chart = day_chart({"2026-11-01": 1, "2026-11-02": 1_000_000})
    assert chart is not None
    assert bars(chart)[0][1] == 2.0


def test_the_axis_can_begin_and_end_within_a_day() -> None:
    begin, end = datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 11, 2, 12, tzinfo=UTC)
    chart = day_chart({"2026-11-01": 1, "2026-11-02": 1}, begin=begin, end=end)
    assert chart is not None
    assert [left for left, _, _ in bars(chart)] == [0.0, WIDTH / 2]
    assert (chart.begin, chart.end) == (begin, end)


def test_years_beyond_what_a_screen_can_tell_apart_are_left_out() -> None:
    chart = day_chart({"1999-01-01": 5, "2026-11-01": 1})
    assert chart is not None
    assert len(chart.counts) == MOST_DAYS + 1
    assert sum(chart.counts) == 1
