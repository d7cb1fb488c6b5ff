"""Walks through the audit log: both directions, any combination, what each costs, and counts."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app.application.views import AuditQuery, AuditRow, CountBy
from app.domain.errors import Rejected
from projections.audit_log import marks as audit_marks
from projections.audit_log import search as audit_search
from projections.audit_log import words as audit_words
from projections.audit_log.cursors import CursorsOf, Place
from projections.audit_log.questions import LAST_POSITION
from projections.audit_log.translation import searchable

SHA = "cafe" + "0" * 36
VERBS = ("create", "enable", "change", "secret", "sync", "client", "disable", "rename")


SMALL = (
    (audit_marks, {"CHUNK": 64, "_FEW": 4}),
    (audit_search, {"CHUNK": 64, "_FIRST_WINDOW": 1, "_LARGEST_WINDOW": 2}),
    (audit_words, {"CHUNK": 64, "CHUNKS_OF_PARTITION": 2, "PARTITION": 128}),
)
"""Sizes that part a few hundred events as others part a million."""


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, make_world: Any) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        for module, sizes in SMALL:
            for name, size in sizes.items():
                patch.setattr(module, name, size)
        with contextlib.closing(make_world(tmp_path_factory.mktemp("walks") / "x.db")) as world:
            for number in range(250):
                world.do((VERBS[number % len(VERBS)], number // 8 % 4, number))
                if number % 7 == 0:
                    world.feed(world.audit, batch=5)
            world.feed_all()
            yield world


@pytest.fixture(scope="module")
def rows(lived: Any) -> list[AuditRow]:
    page = lived.audit.query(AuditQuery(), cursor=None, limit=1000, ascending=True)
    assert page.next is None
    assert len(page.items) > 5 * 64
    return list(page.items)


def walk(world: Any, query: AuditQuery, limit: int, *, ascending: bool) -> list[AuditRow]:
    found: list[AuditRow] = []
    cursor = None
    while True:
        page = world.audit.query(query, cursor=cursor, limit=limit, ascending=ascending)
        found += page.items
        if (cursor := page.next) is None:
            return found


def fits(row: AuditRow, query: AuditQuery) -> bool:
    words = (query.text or "").split()
    return (
        all(
            wanted is None or wanted == found
            for wanted, found in (
                (query.actor, row.actor),
                (query.origin, row.origin),
                (query.hook, row.hook_name),
                (query.trigger, row.trigger),
                (query.correlation, row.correlation_id),
            )
        )
        and (query.commit is None or (row.commit or "").startswith(query.commit))
        and (
            query.type is None
            or any(
                row.type in (one, f"{one}.{row.type.partition('.')[2]}")
                for one in query.type.split(",")
            )
        )
        and (query.since is None or row.at >= query.since)
        and (query.until is None or row.at < query.until)
        and (query.from_position or 0) <= row.position
        and (query.to_position is None or row.position <= query.to_position)
        and all(word in re.findall(r"[0-9a-z]+", searchable(row).lower()) for word in words)
    )


def queries(rows: list[AuditRow]) -> st.SearchStrategy[AuditQuery]:
    def some(*values: Any) -> st.SearchStrategy[Any]:
        return st.one_of(st.none(), st.none(), st.sampled_from(values))

    times = [row.at for row in rows[:: len(rows) // 9]]
    return st.builds(
        AuditQuery,
        actor=some("git-watcher", "actor-9", "actor-3", "nobody"),
        origin=some("git", "api"),
        hook=some("hook-0", "hook-1"),
        trigger=some("pre-user-registration", "credentials-exchange"),
        type=some("hook", "hook.created", "trigger,hook.secret_set", "client"),
        commit=some(f"{1:040x}", f"{10:040x}", "0" * 39),
        since=some(*times),
        until=some(*times),
        from_position=some(0, 1, 100, 10**6),
        to_position=some(0, 100, 400),
        text=some("hook", "secret", "sealed 1", "script changed", "enabled hook"),
    )


@pytest.mark.parametrize("few", [0, 10**6])
def test_every_combination_is_answered_in_both_orders(
    lived: Any, rows: list[AuditRow], monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(audit_words, "_FEW", few)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(query=queries(rows), limit=st.integers(1, 60), ascending=st.booleans())
    def check(query: AuditQuery, limit: int, ascending: bool) -> None:
        assume(query.since is None or query.until is None or query.since < query.until)
        expected = [row for row in rows if fits(row, query)]
        assert walk(lived, query, limit, ascending=ascending) == (
            expected if ascending else expected[::-1]
        )
        for by in CountBy:
            found = lived.audit.counts(query, by=by)
            assert found.counts == Counter(
                row.type if by is CountBy.TYPE else f"{row.at:%F}" for row in expected
            )
            assert found.complete_from == 0

    check()


@pytest.mark.parametrize("ascending", [True, False])
def test_pages_lead_back_the_way_they_came(
    lived: Any,
    rows: list[AuditRow],
    ascending: bool,
) -> None:
    query = AuditQuery(type="hook")
    expected = [row for row in rows if fits(row, query)][:: 1 if ascending else -1]
    pages = []
    cursor = None
    while True:
        page = lived.audit.query(query, cursor=cursor, limit=40, ascending=ascending)
        pages.append(page)
        if (cursor := page.next) is None:
            break
    assert pages[0].previous is None

    back: list[AuditRow] = []
    cursor = pages[-1].previous
    while cursor is not None:
        page = lived.audit.query(query, cursor=cursor, limit=40, ascending=ascending)
        back = [*page.items, *back]
        again = lived.audit.query(query, cursor=page.next, limit=40, ascending=ascending)
        following = expected.index(page.items[-1]) + 1
        assert list(again.items) == expected[following : following + 40]
        cursor = page.previous
    assert back == expected[: -len(pages[-1].items)]


def test_an_empty_page_leads_back_to_what_was_before_it(lived: Any, rows: list[AuditRow]) -> None:
    page = lived.audit.query(AuditQuery(), cursor=None, limit=len(rows) - 1)
    last = lived.audit.query(AuditQuery(), cursor=page.next, limit=5)
    assert list(last.items) == [rows[0]]
    end = lived.audit.query(AuditQuery(), cursor=last.previous, limit=3)
    assert list(end.items) == [rows[3], rows[2], rows[1]]
    assert lived.audit.query(AuditQuery(), cursor=end.next, limit=5).items == (rows[0],)


@pytest.mark.parametrize("position", [0, LAST_POSITION])
@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize("ascending", [True, False])
def test_a_cursor_at_the_end_of_the_world_leads_back(
    lived: Any,
    rows: list[AuditRow],
    position: int,
    back: bool,
    ascending: bool,
) -> None:
    cursor = CursorsOf(AuditQuery(), ascending=ascending).write(Place(position, back=back))
    page = lived.audit.query(AuditQuery(), cursor=cursor, limit=5, ascending=ascending)
    if not page.items:
        turned = page.next if back else page.previous
        page = lived.audit.query(AuditQuery(), cursor=turned, limit=5, ascending=ascending)
    assert len(page.items) == 5
    assert {row.position for row in page.items} <= {row.position for row in rows}


def test_a_cursor_of_another_list_is_refused(lived: Any) -> None:
    cursor = lived.audit.query(AuditQuery(type="hook"), cursor=None, limit=5).next
    for query, ascending in ((AuditQuery(), False), (AuditQuery(type="hook"), True)):
        with pytest.raises(Rejected, match="cursor"):
            lived.audit.query(query, cursor=cursor, limit=5, ascending=ascending)


@pytest.mark.parametrize("few", [0, 10**6])
@pytest.mark.parametrize("ascending", [True, False])
def test_a_search_that_takes_too_long_stops_and_is_continued(
    lived: Any,
    rows: list[AuditRow],
    monkeypatch: pytest.MonkeyPatch,
    few: int,
    ascending: bool,
) -> None:
    """Whichever way words are looked up, nothing is lost or told twice."""
    ticks = itertools.count()
    monkeypatch.setattr(audit_search, "PATIENCE", 0)
    monkeypatch.setattr(audit_words, "_BATCH", 3)
    monkeypatch.setattr(audit_words, "_FEW", few)
    monkeypatch.setattr(audit_search.Search.__init__, "__defaults__", (0, lambda: next(ticks)))
    query = AuditQuery(text="hook", origin="git")
    expected = [row for row in rows if fits(row, query)][:: 1 if ascending else -1]

    short = lived.audit.query(query, cursor=None, limit=40, ascending=ascending)

    assert len(short.items) < 40
    assert short.next is not None
    assert walk(lived, query, 40, ascending=ascending) == expected


def test_counting_that_takes_too_long_says_where_it_stopped(
    lived: Any, rows: list[AuditRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    from projections.audit_log import counts as audit_counts

    monkeypatch.setattr(audit_counts, "PATIENCE", -1)
    monkeypatch.setattr(audit_words, "_BATCH", 3)
    monkeypatch.setattr(audit_words, "_FEW", 0)
    query = AuditQuery(text="hook")

    found = lived.audit.counts(query, by=CountBy.TYPE)

    assert found.complete_from > 1
    counted = [row for row in rows if fits(row, query) and row.position >= found.complete_from]
    assert found.counts == Counter(row.type for row in counted)


PLANNED = [
    AuditQuery(),
    AuditQuery(actor="a", type="hook,trigger.created", origin="git"),
    AuditQuery(commit="cafecafe", signer="ada@example.com", correlation="c"),
    AuditQuery(hook="hook-1", trigger="pre-user-registration"),
    AuditQuery(text="hook", type="hook"),
    AuditQuery(text="secret sealed"),
]


@pytest.mark.parametrize("query", PLANNED)
@pytest.mark.parametrize("ascending", [True, False])
def test_nothing_is_scanned_or_sorted(
    lived: Any,
    rows: list[AuditRow],
    query: AuditQuery,
    ascending: bool,
) -> None:
    timed = AuditQuery(
        **{
            **{name: getattr(query, name) for name in query.__slots__},
            "since": rows[100].at,
            "until": rows[300].at,
        }
    )
    for asked in (query, timed):
        ask = partial(lived.audit.query, asked, cursor=None, limit=50, ascending=ascending)
        for step in plans(lived, ask):
            assert step.startswith("SEARCH") or "VIRTUAL TABLE INDEX" in step
            assert "TEMP B-TREE" not in step
        for step in plans(lived, partial(lived.audit.counts, asked, by=CountBy.DAY)):
            assert not re.match(r"SCAN \w+_(events|marks)$", step), step


def test_moments_are_looked_up(lived: Any, rows: list[AuditRow]) -> None:
    steps = plans(lived, lambda: lived.audit.position_at(rows[50].at))
    steps += plans(lived, lambda: lived.audit.commits("cafe000", 5))

    assert not [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step]
    assert any("_events_by_at (at<?)" in step for step in steps)
    assert any("PRIMARY KEY (field=? AND value>? AND value<?)" in step for step in steps)


def plans(world: Any, ask: Callable[[], Any]) -> list[str]:
    """Return the steps of every statement that ``ask`` runs."""
    with world.database.read() as session:
        kind = type(session)
        rows = kind.rows
        found: list[str] = []

        def explained(self: Any, sql: str, *parameters: Any) -> Any:
            plan = rows(self, f"EXPLAIN QUERY PLAN {sql}", *parameters)
            found.extend(step[3] for step in plan if "projection_positions" not in step[3])
            return rows(self, sql, *parameters)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kind, "rows", explained)
            ask()
    assert found
    return found


def test_a_moment_is_the_last_event_until_then(lived: Any, rows: list[AuditRow]) -> None:
    for row in rows[::100]:
        at_once = [other.position for other in rows if other.at <= row.at]
        assert lived.audit.position_at(row.at) == max(at_once)
    assert lived.audit.position_at(rows[0].at.replace(year=2000)) == 0


def test_commits_are_known_by_their_beginnings(lived: Any) -> None:
    prefix = "0" * 38
    every = lived.audit.commits(prefix, 1000)
    assert len(every) > 20
    assert list(every) == sorted(set(every))
    assert lived.audit.commits(prefix, 3) == every[:3]
    assert lived.audit.commits("f" * 7, 3) == ()
