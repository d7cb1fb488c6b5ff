"""How many calls may wait inside one worker."""

from __future__ import annotations

MOST_IN_FLIGHT = 64

BACKLOG_SECONDS = 0.005
"""Work that may wait inside a sync worker: enough to keep it busy, too little to matter if lost."""

_FIRST_GUESS = BACKLOG_SECONDS / 4
_WEIGHT = 0.2


class Pace:
    """Follows how long runs of a worker take; short ones may be sent ahead of their turn."""

    __slots__ = ("_is_steady", "_most", "_usual", "depth", "quick")

    def __init__(self, *, is_async: bool, most: int = MOST_IN_FLIGHT) -> None:
        """Start with a guess; ``most`` is never exceeded."""
        self._is_steady = is_async or most == 1
        self._most = most
        self._usual = _FIRST_GUESS
        self.depth = most if is_async else min(4, most)
        """Calls that may be in flight."""
        self.quick = 0
        """Calls up to which this worker rather than an idle one is sent the next: runs that take
        as long as the server's own work on a call are not worth waking a second process for."""

    def learn(self, seconds: float) -> None:
        """Take one more run into account."""
        if self._is_steady:
            return
        usual = self._usual = self._usual + _WEIGHT * (seconds - self._usual)
        if usual * self._most <= BACKLOG_SECONDS:
            self.depth, self.quick = self._most, self._most // 2
        else:
            self.depth, self.quick = int(BACKLOG_SECONDS / usual) or 1, 0
