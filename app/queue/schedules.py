"""When a delivery that failed is tried again."""

from __future__ import annotations

from app.application.ports import Schedule


def exponential(
    *, first: float = 1.0, factor: float = 3.0, longest: float = 3600.0, attempts: int = 10
) -> Schedule:
    """Wait ``first`` seconds after the first attempt, each time ``factor`` times as long.

    No wait is over ``longest`` seconds, and there are ``attempts`` attempts in all: the last has
    no entry. The defaults try for about three hours, so that a short outage loses nothing.
    """
    waits: dict[int, float] = {}
    wait = first
    for attempt in range(1, attempts):
        waits[attempt] = min(wait, longest)
        wait = waits[attempt] * factor
    return waits
