"""Questions to the audit log are checked before they become terms, cursors before they are used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.application.views import AuditQuery
from app.domain.errors import Rejected
from projections.audit_log.cursors import CursorsOf, Place
from projections.audit_log.questions import Interval, Term, check_limit, conditions_of, sortable

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 (what must be refused)
LIST = CursorsOf(AuditQuery(type="hook"), ascending=False)


@given(st.integers(0, 2**63 - 1), st.booleans())
def test_a_cursor_leads_back_to_its_place(position: int, back: bool) -> None:
    place = Place(position, back=back)
    assert LIST.read(LIST.write(place)) == place


@pytest.mark.parametrize(
    "cursor",
    ["", "5", "a1.5", "a2.n.", "a2.n.5", "a2.x.5.000000000000", "a2.n.-1.000000000000", "'"],
)
def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(Rejected, match="is not a cursor"):
        LIST.read(cursor)


@pytest.mark.parametrize(
    "other",
    [
        CursorsOf(AuditQuery(type="hook.created"), ascending=False),
        CursorsOf(AuditQuery(type="hook", actor="a"), ascending=False),
        CursorsOf(AuditQuery(actor="hook"), ascending=False),
        CursorsOf(AuditQuery(type="hook"), ascending=True),
        CursorsOf(AuditQuery(type="hook", since=datetime(2026, 1, 1, tzinfo=UTC)), ascending=False),
    ],
)
def test_a_cursor_is_good_for_its_own_list_only(other: CursorsOf) -> None:
    with pytest.raises(Rejected, match="other filters") as caught:
        LIST.read(other.write(Place(5)))
    assert [problem.key for problem in caught.value.problems] == ["cursor"]


def test_the_same_instant_is_the_same_filter_in_every_zone() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    elsewhere = noon.astimezone(timezone(timedelta(hours=5)))
    cursor = CursorsOf(AuditQuery(since=noon), ascending=False).write(Place(5))

    assert CursorsOf(AuditQuery(since=elsewhere), ascending=False).read(cursor) == Place(5)


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
        (AuditQuery(type=""), "type"),
        (AuditQuery(type="hook,"), "type"),
        (AuditQuery(type="hook.created.now"), "type"),
        (AuditQuery(type="%"), "type"),
        (AuditQuery(type=",".join(f"a{'b' * number}" for number in range(51))), "type"),
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
    ("hook", "field"),
    [
        ("01J8Z3Q7V9K2M4N6P8R0S2T4V6", "hook"),
        ("no-throwaway", "name"),
        ("12345678901234567890123456", "name"),
    ],
)
def test_a_hook_is_asked_for_by_id_or_by_name(hook: str, field: str) -> None:
    assert conditions_of(AuditQuery(hook=hook)).terms == (Term(field, (hook,)),)


def test_several_types_and_groups_of_them_are_one_term() -> None:
    (term,) = conditions_of(AuditQuery(type="hook.created, trigger,hook.created")).terms
    assert term == Term("type", ("hook.created", Interval("trigger.", "trigger/")))


def test_instants_sort_as_text_whatever_their_zone() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    later = datetime(2026, 1, 1, 11, 0, 0, 5, tzinfo=timezone(timedelta(hours=-2)))

    assert sortable(noon) < sortable(noon + timedelta(microseconds=1)) < sortable(later)
    assert len(sortable(noon)) == len(sortable(later))
