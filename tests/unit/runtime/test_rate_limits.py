"""When a host takes requests again, by what its answers say."""

from __future__ import annotations

import pytest

from app.runtime.inside.rate_limits import MOST_RETRIES, pause_before_next, pause_before_retry

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:05 GMT"}, 5.0),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0.0),
        ({"x-ratelimit-reset": str(int(NOW) + 7)}, 7.0),
        ({"x-ratelimit-reset": str(int(NOW) * 1000 + 7000)}, 7.0),
        ({"x-ratelimit-reset": "9"}, 9.0),
        ({"ratelimit-reset": "2"}, 2.0),
        ({"retry-after": "1", "x-ratelimit-reset": "9"}, 1.0),
        ({"retry-after": "soon"}, 0.25),
        ({"x-ratelimit-reset": "-1"}, 0.25),
        ({}, 0.25),
    ],
)
def test_a_429_is_tried_again_when_it_says(headers: dict[str, str], pause: float) -> None:
    assert pause_before_retry("POST", 429, headers, 1, NOW) == pytest.approx(pause)


def test_without_a_hint_pauses_grow_and_end() -> None:
    pauses = [pause_before_retry("GET", 429, {}, tried, NOW) for tried in range(1, 7)]
    assert pauses == [0.25, 0.5, 1.0, 2.0, None, None]
    assert MOST_RETRIES == 4


def test_a_503_is_tried_again_only_if_it_says_when_and_nothing_can_be_done_twice() -> None:
    assert pause_before_retry("GET", 503, {"retry-after": "1"}, 1, NOW) == 1.0
    assert pause_before_retry("PUT", 503, {"retry-after": "1"}, 1, NOW) == 1.0
    assert pause_before_retry("POST", 503, {"retry-after": "1"}, 1, NOW) is None
    assert pause_before_retry("PATCH", 503, {"retry-after": "1"}, 1, NOW) is None
    assert pause_before_retry("GET", 503, {}, 1, NOW) is None


@pytest.mark.parametrize("status", [200, 301, 400, 404, 500, 502, 504])
def test_other_answers_are_answers(status: int) -> None:
    assert pause_before_retry("GET", status, {"retry-after": "1"}, 1, NOW) is None


def test_the_next_request_waits_when_none_remains() -> None:
    reset = {"x-ratelimit-reset": str(int(NOW) + 4)}
    assert pause_before_next({"x-ratelimit-remaining": "0", **reset}, NOW) == pytest.approx(4)
    assert pause_before_next({"x-ratelimit-remaining": "1", **reset}, NOW) == 0
    assert pause_before_next({"x-ratelimit-remaining": "0"}, NOW) == 0
    assert pause_before_next({"ratelimit-remaining": "0", "ratelimit-reset": "3"}, NOW) == 3
    assert pause_before_next({"x-ratelimit-remaining": "none", **reset}, NOW) == 0
    assert pause_before_next(reset, NOW) == 0
