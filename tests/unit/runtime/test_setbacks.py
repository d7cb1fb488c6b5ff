"""Pauses after failures in a row."""

from __future__ import annotations

import pytest

from app.runtime import setbacks
from app.runtime.setbacks import Setbacks


@pytest.fixture(autouse=True)
def at_moment_100(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setbacks, "monotonic", lambda: 100.0)


def pause_after(*, deaths: int = 0, refusals: int = 0) -> float:
    tried = Setbacks()
    for _ in range(refusals):
        tried.refused()
        tried.died()
        tried.answered()
    for _ in range(deaths):
        tried.died()
    return max(tried.until - 100.0, 0.0)


def test_two_deaths_are_bad_luck_and_the_third_is_followed_by_a_pause() -> None:
    assert pause_after(deaths=2) == 0
    assert pause_after(deaths=3) == pytest.approx(0.1)
    assert pause_after(deaths=5) == pytest.approx(0.4)
    assert pause_after(deaths=1000) == pytest.approx(30.0)


def test_a_script_that_does_not_load_is_followed_by_a_pause_at_once() -> None:
    assert pause_after(refusals=1) == pytest.approx(0.1)


def test_a_worker_that_was_refused_before_it_existed_is_followed_by_a_pause_too() -> None:
    tried = Setbacks()
    tried.refused()
    assert tried.until == pytest.approx(100.1)


def test_answers_of_other_workers_do_not_excuse_a_script_that_does_not_load() -> None:
    assert pause_after(refusals=4) == pytest.approx(0.8)


def test_an_answer_ends_a_row_of_deaths_and_loading_a_row_of_refusals() -> None:
    tried = Setbacks()
    for _ in range(2):
        tried.died()
    tried.answered()
    tried.died()
    assert tried.until == 0.0
    tried.refused()
    tried.loaded()
    tried.refused()
    assert tried.until == pytest.approx(100.1)
