"""Waiting times grow, are bounded, and end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.queue.schedules import exponential


def test_each_wait_is_a_multiple_of_the_former_up_to_the_longest() -> None:
    assert exponential(first=1, factor=2, longest=5, attempts=5) == {1: 1, 2: 2, 3: 4, 4: 5}


def test_the_default_bridges_an_outage_of_an_hour_but_not_of_a_day() -> None:
    assert 3600 < sum(exponential().values()) < 86_400


def test_one_attempt_means_no_waiting() -> None:
    assert exponential(attempts=1) == {}


@given(st.integers(1, 50), st.floats(0.1, 10), st.floats(1, 10), st.floats(10, 1e5))
def test_waits_never_shrink_and_the_last_attempt_has_none(
    attempts: int, first: float, factor: float, longest: float
) -> None:
    schedule = exponential(first=first, factor=factor, longest=longest, attempts=attempts)
    waits = [schedule[number] for number in range(1, attempts)]
    assert waits == sorted(waits)
    assert max(waits, default=0) <= longest
    assert attempts not in schedule


def test_very_many_attempts_do_not_overflow() -> None:
    assert exponential(attempts=1000)[999] == 3600
