"""How much happened each day, drawn along an axis of time; days are those of UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

WIDTH, HEIGHT = 1000, 48
MOST_DAYS = 2000
"""Older days are left out: five years are more than a screen can tell apart."""

_DAY = timedelta(days=1)
_LEAST_WIDTH, _LEAST_HEIGHT = 1.0, 2.0


@dataclass(frozen=True, slots=True)
class DayChart:
    """Bars from ``begin`` to ``end``; a script tells of each what it stands for."""

    begin: datetime
    end: datetime
    first: date
    counts: Sequence[int]
    """Of each day from ``first`` on, without gaps."""
    path: str
    """As an SVG path in a box of ``WIDTH`` by ``HEIGHT``."""

    @property
    def last(self) -> datetime:
        """Midnight at which the last day begins."""
        return _midnight(self.first + (len(self.counts) - 1) * _DAY)

    @property
    def days(self) -> int:
        """Number of the days on which anything happened."""
        return sum(bool(number) for number in self.counts)

    @property
    def most(self) -> int:
        return max(self.counts)


def day_chart(
    counted: Mapping[str, int], *, begin: datetime | None = None, end: datetime | None = None
) -> DayChart | None:
    """Draw what was counted by day (``2026-11-23``); None if nothing was.

    The axis runs over whole days, unless ``begin`` or ``end`` says otherwise.
    """
    if not counted:
        return None
    last = date.fromisoformat(max(counted))
    first = max(date.fromisoformat(min(counted)), last - MOST_DAYS * _DAY)
    every = [first + number * _DAY for number in range((last - first).days + 1)]
    counts = [counted.get(day.isoformat(), 0) for day in every]
    begin, end = begin or _midnight(first), end or _midnight(last + _DAY)
    return DayChart(begin, end, first, counts, _path(every, counts, begin, end))


def _path(days: Sequence[date], counts: Sequence[int], begin: datetime, end: datetime) -> str:
    most, unit = max(counts), WIDTH / max((end - begin) / _DAY, 1e-9)
    bars = []
    for day, number in zip(days, counts, strict=True):
        left = max((_midnight(day) - begin) / _DAY * unit, 0.0)
        right = min((_midnight(day + _DAY) - begin) / _DAY * unit, WIDTH)
        if number and right > left:
            height = max(number / most * HEIGHT, _LEAST_HEIGHT)
            width = max((right - left) * 0.8, _LEAST_WIDTH)
            bars.append(f"M{left:.1f} {HEIGHT}v-{height:.1f}h{width:.1f}V{HEIGHT}z")
    return "".join(bars)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
