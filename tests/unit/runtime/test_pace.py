"""How many calls may wait inside a worker."""

from __future__ import annotations

from app.runtime.pace import MOST_IN_FLIGHT, Pace


def after(seconds: float, *, is_async: bool = False) -> int:
    pace = Pace(is_async=is_async)
    for _ in range(50):
        pace.learn(seconds)
    return pace.depth


def test_short_runs_may_queue_and_long_ones_may_not() -> None:
    assert after(0.00002) == MOST_IN_FLIGHT
    assert after(0.002) == 2
    assert after(0.1) == 1
    assert after(100) == 1


def test_one_long_run_soon_keeps_others_from_queueing_behind() -> None:
    pace = Pace(is_async=False)
    for _ in range(50):
        pace.learn(0.00002)
    pace.learn(1.0)
    assert pace.depth == 1


def test_async_calls_do_not_wait_for_each_other() -> None:
    assert after(100, is_async=True) == MOST_IN_FLIGHT
