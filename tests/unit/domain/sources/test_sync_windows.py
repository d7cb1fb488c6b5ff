"""Windows: when commits may go live, over time zones and changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import Rejected
from app.domain.sources.sync_windows import SyncWindow, is_open, opens_at

HOUR = timedelta(hours=1)
WEEKEND = SyncWindow("deny", "0 16 * * 5", 64 * HOUR, "Europe/Berlin")
OFFICE = SyncWindow("allow", "0 9 * * 1-5", 8 * HOUR, "Europe/Berlin")


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("windows", "now", "expected"),
    [
        ((), at(23, 3), True),
        ((WEEKEND,), at(27, 14, 59), True),  # Friday, 15:59 in Berlin
        ((WEEKEND,), at(27, 15), False),
        ((WEEKEND,), at(30, 6, 59), False),  # Monday, 7:59 in Berlin
        ((WEEKEND,), at(30, 7), True),  # its end is no longer in it
        ((OFFICE,), at(23, 7, 59), False),
        ((OFFICE,), at(23, 8), True),
        ((OFFICE,), at(23, 16), False),
        ((OFFICE,), at(28, 12), False),  # Saturday
        ((OFFICE, WEEKEND), at(27, 15, 30), False),  # deny wins
        ((OFFICE, WEEKEND), at(27, 14, 30), True),
    ],
)
def test_a_deny_window_wins_and_an_allow_window_closes_all_other_time(
    windows: tuple[SyncWindow, ...], now: datetime, expected: bool
) -> None:
    assert is_open(windows, now) is expected


def test_the_next_opening_is_foreseen() -> None:
    assert opens_at((), at(23, 3)) == at(23, 3)
    assert opens_at((WEEKEND,), at(28, 0)) == at(30, 7)
    assert opens_at((OFFICE, WEEKEND), at(27, 15, 30)) == at(30, 8)


def test_what_never_opens_is_not_waited_for() -> None:
    always = SyncWindow("deny", "* * * * *", HOUR)
    assert opens_at((always,), at(23, 3)) is None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (at(29, 0, 30, month=3), False),  # 1:30 in Berlin
        (at(29, 1, 0, month=3), True),  # 3:00: there is no 2:30 in this night
        (at(29, 1, 59, month=3), True),
        (at(29, 2, 0, month=3), False),
    ],
)
def test_a_window_that_begins_in_the_hour_that_is_left_out_begins_after_it(
    now: datetime, expected: bool
) -> None:
    window = SyncWindow("allow", "30 2 * * *", HOUR, "Europe/Berlin")
    assert window.is_active(now) is expected


@pytest.mark.parametrize(
    ("members", "key"),
    [
        ({"schedule": "every day"}, "schedule"),
        ({"schedule": "0 0 0 * * *"}, "schedule"),
        ({"schedule": "61 * * * *"}, "schedule"),
        ({"schedule": "0 0 30 2 *"}, "schedule"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"duration": timedelta()}, "duration"),
        ({"duration": timedelta(days=32)}, "duration"),
    ],
)
def test_a_window_that_cannot_be_is_refused_by_its_member(
    members: dict[str, Any], key: str
) -> None:
    usable: dict[str, Any] = {"kind": "deny", "schedule": "0 0 * * *", "duration": HOUR}
    with pytest.raises(Rejected) as refusal:
        SyncWindow(**(usable | members))
    assert [problem.key for problem in refusal.value.problems] == [key]


MOMENTS = st.integers(0, 2 * 365 * 24 * 60).map(
    lambda minutes: at(1, 0, month=1) + timedelta(minutes=minutes)
)
WINDOWS = st.builds(
    SyncWindow,
    st.sampled_from(("allow", "deny")),
    st.sampled_from(("0 9 * * 1-5", "30 2 * * *", "*/45 * * * *", "0 0 1 * *", "15 22 * * 0")),
    st.integers(1, 60 * 24 * 3).map(lambda minutes: timedelta(minutes=minutes)),
    st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")),
)


@settings(deadline=None)
@given(st.lists(WINDOWS, max_size=3), MOMENTS)
def test_an_opening_is_open_and_all_before_it_is_closed(
    windows: list[SyncWindow], now: datetime
) -> None:
    opening = opens_at(windows, now)
    if opening is None:
        assert not is_open(windows, now)
        return
    assert opening >= now
    assert is_open(windows, opening)
    if opening > now:
        for part in range(1, 8):
            assert not is_open(windows, opening - (opening - now) * part / 8)
