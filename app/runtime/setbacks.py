"""How long to wait before the next worker is started, after some have failed."""

from __future__ import annotations

from time import monotonic

_FAILURES_BEFORE_PAUSE = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0


class Setbacks:
    """Counts failures in a row; from the third on, the pause doubles with each.

    Loading and serving are counted apart: an answer says nothing about a script that another worker
    could not load, nor a script that loads about a hook that dies of each call.
    """

    def __init__(self) -> None:
        self.until = 0.0
        """Monotonic seconds before which no worker is to be started."""
        self._deaths = 0
        self._refusals = 0

    def died(self) -> None:
        """Note that a worker ended which should not have."""
        self._deaths += 1
        self._pause()

    def refused(self) -> None:
        """Note that the script cannot be had in one; whatever the reason, it may well remain."""
        self._refusals = max(self._refusals + 1, _FAILURES_BEFORE_PAUSE)
        self._pause()

    def loaded(self) -> None:
        """Note that the script loads."""
        self._refusals = 0

    def answered(self) -> None:
        """Note that a worker survived a call."""
        self._deaths = 0

    def _pause(self) -> None:
        excess = max(self._deaths, self._refusals) - _FAILURES_BEFORE_PAUSE
        if excess >= 0:
            self.until = monotonic() + min(_FIRST_PAUSE * 2 ** min(excess, 16), _LONGEST_PAUSE)
