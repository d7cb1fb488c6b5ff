"""Questions to the audit log are checked before they become SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.application.views import AuditQuery
from app.domain.errors import Rejected
from app.domain.revisions import Position
from projections.audit_query import (
    check_limit,
    conditions_of,
    cursor_at,
    position_below,
    sortable,
)

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 (what must be refused)


@given(st.integers(1, 2**63 - 1))
def test_a_cursor_leads_back_to_its_position(position: int) -> None:
    assert position_below(cursor_at(Position(position))) == position


def test_without_a_cursor_everything_is_below() -> None:
    assert position_below(None) == 2**63 - 1


@pytest.mark.parametrize(
    "cursor",
    ["", "5", "a1.", "a1.0", "a1.-1", "a1.A", "a2.5", "a1.5 ", "a1.5\n", "a1.zzzzzzzzzzzzz", "'"],
)
def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(Rejected, match="cursor"):
        position_below(cursor)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_a_sensible_size(limit: int) -> None:
    assert check_limit(1000) == 1000
    with pytest.raises(Rejected, match="limit"):
        check_limit(limit)


@pytest.mark.parametrize(
    ("query", "key"),
    [
        (AuditQuery(commit="abc"), "commit"),
        (AuditQuery(commit="a" * 41), "commit"),
        (AuditQuery(commit="abcdefg"), "commit"),
        (AuditQuery(commit="%%%%%%%"), "commit"),
        (AuditQuery(since=NAIVE), "since"),
        (AuditQuery(until=NAIVE), "until"),
        (AuditQuery(text=""), "text"),
        (AuditQuery(text=' -- "" * '), "text"),
        (AuditQuery(text="w " * 33), "text"),
        (AuditQuery(text="w" * 201), "text"),
    ],
)
def test_a_senseless_filter_is_refused_by_name(query: AuditQuery, key: str) -> None:
    with pytest.raises(Rejected) as caught:
        conditions_of(query)
    assert [problem.key for problem in caught.value.problems] == [key]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Rejected) as caught:
        conditions_of(AuditQuery(commit="x", since=NAIVE, text="!"))
    assert [problem.key for problem in caught.value.problems] == ["commit", "since", "text"]


@pytest.mark.parametrize(
    ("hook", "clause"),
    [
        ("01J8Z3Q7V9K2M4N6P8R0S2T4V6", "hook = ?"),
        ("no-throwaway", "hook_name = ?"),
        ("12345678901234567890123456", "hook_name = ?"),
    ],
)
def test_a_hook_is_asked_for_by_id_or_by_name(hook: str, clause: str) -> None:
    assert conditions_of(AuditQuery(hook=hook)).clauses == (clause,)


def test_instants_sort_as_text_whatever_their_zone() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    later = datetime(2026, 1, 1, 11, 0, 0, 5, tzinfo=timezone(timedelta(hours=-2)))

    assert sortable(noon) < sortable(noon + timedelta(microseconds=1)) < sortable(later)
    assert len(sortable(noon)) == len(sortable(later))
