"""How many calls may wait inside one worker."""

from __future__ import annotations

MOST_IN_FLIGHT = 64

BACKLOG_SECONDS = 0.005
"""Work that may wait inside a sync worker: enough to keep it busy, too little to matter if lost."""

_FIRST_GUESS = BACKLOG_SECONDS / 4
_WEIGHT = 0.2


class Pace:
    """Follows how long runs of a worker take; short ones may be sent ahead of their turn."""

    __slots__ = ("_is_async", "_usual", "depth")

    def __init__(self, *, is_async: bool) -> None:
        self._is_async = is_async
        self._usual = _FIRST_GUESS
        self.depth = MOST_IN_FLIGHT if is_async else 4
        """Calls that may be in flight."""

    def learn(self, seconds: float) -> None:
        """Take one more run into account."""
        if self._is_async:
            return
        usual = self._usual = self._usual + _WEIGHT * (seconds - self._usual)
        if usual * MOST_IN_FLIGHT <= BACKLOG_SECONDS:
            self.depth = MOST_IN_FLIGHT
        else:
            self.depth = int(BACKLOG_SECONDS / usual) or 1
