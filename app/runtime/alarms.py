"""One timer for many deadlines: it rings at the earliest, and whoever hears it asks for the next.

A timer per call would be set and cancelled for every call that goes well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic


class Alarm:
    """Calls ``ring`` once, no earlier than the moment asked for; then it is silent until asked."""

    __slots__ = ("_at", "_ring", "_timer")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def by(self, moment: float) -> None:
        """Ring at ``moment`` (seconds of the monotonic clock) unless it rings earlier anyway."""
        if self._timer is None or moment < self._at:
            self.silence()
            self._at = moment
            delay = max(moment - monotonic(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(delay, self._go_off)

    def silence(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_off(self) -> None:
        self._timer = None
        if monotonic() < self._at:
            # Timers of some loops are a millisecond early.
            self.by(self._at)
        else:
            self._ring()
