"""Times at which commits may go live: windows by cron expression, duration and time zone.

A deny window wins over an allow window. If there is any allow window, all other time is closed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from app.domain.errors import Problem, Rejected

_FIELDS = 5
_SHORTEST = timedelta(minutes=1)
_LONGEST = timedelta(days=31)
_MOST_EDGES = 200
"""Beginnings and ends of windows that are looked at before it is said that none will do."""
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SyncWindow:
    """From each time that ``schedule`` names, for ``duration``; in ``time_zone`` (IANA)."""

    kind: Literal["allow", "deny"]
    schedule: str
    duration: timedelta
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        """Check; raise ``Rejected`` with the member that cannot be."""
        if not _SHORTEST <= self.duration <= _LONGEST:
            raise _unusable("duration", "must be from one minute to 31 days")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, OSError, ValueError):
            message = f"there is no time zone `{self.time_zone}`; write e.g. Europe/Berlin"
            raise _unusable("time_zone", message) from None
        try:
            if len(self.schedule.split()) != _FIELDS:
                raise CronSimError("it needs five fields")  # noqa: TRY301 (one place words it)
            self._start_after(_ANY_DAY)
        except CronSimError as error:
            message = f"`{self.schedule}` is no cron expression: {error}"
            raise _unusable("schedule", message) from None
        except StopIteration:
            message = f"`{self.schedule}` never comes to pass"
            raise _unusable("schedule", message) from None

    def is_active(self, now: datetime) -> bool:
        """Tell whether ``now`` lies in the window; its end is no longer in it."""
        return self._start_after(now - self.duration) <= now

    def edges_after(self, now: datetime) -> tuple[datetime, datetime]:
        """Return the next beginning after ``now``, and the next end (UTC)."""
        return self._start_after(now), self._start_after(now - self.duration) + self.duration

    def _start_after(self, moment: datetime) -> datetime:
        zone = ZoneInfo(self.time_zone)
        return next(CronSim(self.schedule, moment.astimezone(zone))).astimezone(UTC)

    def __str__(self) -> str:
        """Write it as in a sentence."""
        hours = self.duration / timedelta(hours=1)
        return f"{self.kind} `{self.schedule}` for {hours:g} h ({self.time_zone})"


def is_open(windows: Collection[SyncWindow], now: datetime) -> bool:
    """Tell whether commits may go live at ``now``."""
    if any(window.kind == "deny" and window.is_active(now) for window in windows):
        return False
    allowing = [window for window in windows if window.kind == "allow"]
    return not allowing or any(window.is_active(now) for window in allowing)


def opens_at(windows: Collection[SyncWindow], now: datetime) -> datetime | None:
    """Return when commits may go live: ``now`` if they may; None if that is not to be foreseen."""
    moment = now
    for _ in range(_MOST_EDGES):
        if is_open(windows, moment):
            return moment
        moment = min(edge for window in windows for edge in window.edges_after(moment))
    return None


def _unusable(key: str, message: str) -> Rejected:
    return Rejected("The sync window cannot be used.", problems=[Problem(message, key=key)])
