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


def test_no_more_calls_are_in_flight_than_the_manifest_allows() -> None:
    assert Pace(is_async=True, most=3).depth == 3
    strict, some = Pace(is_async=False, most=1), Pace(is_async=False, most=6)
    assert (strict.depth, some.depth) == (1, 4)
    for _ in range(50):
        strict.learn(0.00002)
        some.learn(0.00002)
    assert (strict.depth, some.depth) == (1, 6)
    for _ in range(50):
        some.learn(0.1)
    assert some.depth == 1


def test_only_a_worker_known_to_be_quick_is_filled_before_another() -> None:
    pace = Pace(is_async=False)
    assert pace.quick == 0
    for _ in range(50):
        pace.learn(0.00002)
    assert 0 < pace.quick < pace.depth
    pace.learn(0.1)
    assert pace.quick == 0


def test_an_async_worker_shares_with_the_others() -> None:
    pace = Pace(is_async=True)
    for _ in range(50):
        pace.learn(0.00002)
    assert pace.quick == 0
