"""Percentiles are within what is promised."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from app.domain.outcomes import OutcomeKind
from app.journal.tallies import Counts, buckets_of, latency_of, middle_of

DURATIONS = st.floats(min_value=0.001, max_value=1e7)


@given(DURATIONS)
def test_the_middle_of_a_bucket_is_close_to_what_is_in_it(duration: float) -> None:
    (bucket,) = buckets_of([duration])
    assert abs(middle_of(bucket) - duration) <= 0.032 * duration


@given(st.lists(DURATIONS, min_size=1, max_size=200))
def test_percentiles_are_those_of_the_durations(durations: list[float]) -> None:
    found, ordered = latency_of(buckets_of(durations)), sorted(durations)
    for share, told in zip((0.5, 0.95, 0.99), found.percentiles, strict=True):
        exact = ordered[math.ceil(share * len(ordered)) - 1]
        assert abs(told - exact) <= 0.033 * exact + 1e-4


def test_counts_that_are_merged_add_up() -> None:
    one, other = Counts({"succeeded": 2}, {1: 2}, {3: 2}), Counts({"errored": 1}, {1: 1}, {4: 1})
    one.merge(other)
    assert one == Counts({"succeeded": 2, "errored": 1}, {1: 3}, {3: 2, 4: 1})
    tally = one.tally()
    assert tally.outcomes == {OutcomeKind.ERRORED: 1, OutcomeKind.SUCCEEDED: 2}
    assert (tally.runs, round(tally.error_rate, 3), tally.failure_rate) == (3, 0.333, 0)


def test_without_runs_there_is_no_percentile() -> None:
    assert latency_of({}).percentiles == ()
    assert Counts().tally().error_rate == 0
