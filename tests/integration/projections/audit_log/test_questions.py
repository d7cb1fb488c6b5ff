"""The stored audit log answers every filter, from an index, page by page."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.application.views import AuditQuery, AuditRow, CountBy
from app.domain.errors import Rejected
from projections.audit_log.translation import searchable

SHA = "cafe" + "0" * 36
COMMANDS = ("create", "enable", "change", "secret", "sync", "client", "disable", "rename")


@pytest.fixture
def lived(world: Any) -> Any:
    for number in range(80):
        world.do((COMMANDS[number % len(COMMANDS)], number // 8 % 4, number))
    with world.as_commit(SHA, actor="Zoë"):
        world.create_hook(50, name="no-throwaway", script="print('hidden')")
    world.feed_all()
    return world


def rows_of(world: Any, query: AuditQuery, limit: int = 1000) -> Iterator[AuditRow]:
    cursor = None
    while True:
        page = world.audit.query(query, cursor=cursor, limit=limit)
        yield from page.items
        if (cursor := page.next) is None:
            return


def hook_named(world: Any, name: str) -> str:
    found = world.hooks.load_table().find_hook(name)
    assert found is not None
    return str(found.id)


FILTERS: dict[str, Callable[[AuditRow], bool]] = {
    "actor": lambda row: row.actor == "actor-9",
    "trigger": lambda row: row.trigger == "credentials-exchange",
    "type": lambda row: row.type == "hook.secret_set",
    "kind": lambda row: row.type.startswith("hook."),
    "commit": lambda row: row.commit == SHA,
    "prefix": lambda row: str(row.commit).startswith("cafe000"),
    "name": lambda row: row.hook_name == "hook-1",
    "several": lambda row: row.type.startswith("hook.") and row.actor == "git-watcher",
}
QUERIES = {
    "actor": AuditQuery(actor="actor-9"),
    "trigger": AuditQuery(trigger="credentials-exchange"),
    "type": AuditQuery(type="hook.secret_set"),
    "kind": AuditQuery(type="hook"),
    "commit": AuditQuery(commit=SHA.upper()),
    "prefix": AuditQuery(commit="CAFE000"),
    "name": AuditQuery(hook="hook-1"),
    "several": AuditQuery(type="hook", actor="git-watcher"),
}


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_a_filter_finds_exactly_its_rows(lived: Any, name: str) -> None:
    expected = [row for row in rows_of(lived, AuditQuery()) if FILTERS[name](row)]

    assert expected
    assert list(rows_of(lived, QUERIES[name], limit=3)) == expected


def test_a_hook_is_found_by_its_id_whatever_it_was_called(lived: Any) -> None:
    hook_id = hook_named(lived, "hook-1")
    expected = [row for row in rows_of(lived, AuditQuery()) if row.hook == hook_id]

    found = list(rows_of(lived, AuditQuery(hook=hook_id)))

    assert found == expected
    assert len({row.hook_name for row in found}) > 1


def test_since_is_inclusive_and_until_is_not(lived: Any) -> None:
    rows = list(rows_of(lived, AuditQuery()))
    first, last = rows[60].at, rows[20].at

    between = list(rows_of(lived, AuditQuery(since=first, until=last), limit=7))

    assert between == [row for row in rows if first <= row.at < last]
    assert list(rows_of(lived, AuditQuery(since=first))) == [row for row in rows if row.at >= first]
    assert list(rows_of(lived, AuditQuery(until=last))) == [row for row in rows if row.at < last]
    assert not list(rows_of(lived, AuditQuery(since=rows[0].at + timedelta(microseconds=1))))


def test_rows_come_back_as_they_were_told(lived: Any) -> None:
    (row,) = rows_of(lived, AuditQuery(hook="no-throwaway", type="hook.created"))

    assert (row.actor, row.origin, row.commit, row.source) == ("Zoë", "git", SHA, "main")
    assert (row.trigger, row.reason, row.at.utcoffset()) == (
        "pre-user-registration",
        "a push",
        timedelta(0),
    )
    assert row.data["commit_by"] == {"author": "Ada", "committer": "Grace"}
    assert "hidden" not in str(row)


def test_pages_over_1000_rows_have_no_gaps_or_repeats_while_events_arrive(world: Any) -> None:
    with world.by("alice"):
        hook = world.create_hook(1)
        for number in range(1100):
            hook.move(f"hooks/{number}")
        world.record(hook)
    world.feed(world.audit)
    head = world.ledger.head()

    seen: list[int] = []
    cursor = None
    while True:
        page = world.audit.query(AuditQuery(type="hook"), cursor=cursor, limit=37)
        seen += [row.position for row in page.items]
        if (cursor := page.next) is None:
            break
        with world.by("bob"):
            hook.move(f"meanwhile/{len(seen)}")
            world.record(hook)
        world.feed(world.audit)

    every = [
        row.position for row in rows_of(world, AuditQuery(type="hook")) if row.position <= head
    ]
    assert seen == every
    assert len(seen) == 1101


def test_the_last_page_ends_the_list(lived: Any) -> None:
    count = len(list(rows_of(lived, AuditQuery())))

    assert lived.audit.query(AuditQuery(), cursor=None, limit=count).next is None
    assert lived.audit.query(AuditQuery(), cursor=None, limit=count - 1).next is not None


def test_a_cursor_that_is_not_ours_is_refused(lived: Any) -> None:
    with pytest.raises(Rejected, match="cursor"):
        lived.audit.query(AuditQuery(), cursor="1 OR 1=1", limit=5)


@pytest.mark.parametrize(
    "text",
    [
        "zoë",
        "ZOE",
        "no-throwaway",
        "throwaway no-throwaway",
        "hook.created cafe0",
        "script_changed",
    ],
)
def test_words_are_found_in_any_case(lived: Any, text: str) -> None:
    expected = text != "hook.created cafe0"  # words, not their beginnings

    assert bool(list(rows_of(lived, AuditQuery(text=text)))) is expected


def test_words_go_with_other_filters_and_pages(lived: Any) -> None:
    query = AuditQuery(text="hook-1 hook", type="hook", since=next(rows_of(lived, AuditQuery())).at)
    assert not list(rows_of(lived, query))

    query = AuditQuery(text="secret_set", actor="git-watcher")
    rows = [
        row
        for row in rows_of(lived, AuditQuery(actor="git-watcher"))
        if "secret_set" in searchable(row)
    ]
    assert len(rows) > 3
    assert list(rows_of(lived, query, limit=2)) == rows


HOSTILE = [
    '"',
    '""" x',
    "a*",
    "a OR b",
    "a NOT b",
    "NEAR(a b)",
    "text: a",
    "{text} : a",
    "^hook",
    "-hook",
    "hook + created",
    "a'; DROP TABLE x; --",
    "(a",
    "a)",
    "hook\0created",
    "\N{ZERO WIDTH SPACE}a",
    "%_\\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_never_syntax(lived: Any, text: str) -> None:
    try:
        found = list(rows_of(lived, AuditQuery(text=text)))
    except Rejected:
        assert not any(character.isalnum() for character in text)
        return
    assert found == [row for row in rows_of(lived, AuditQuery()) if holds(row, text)]


def test_whatever_is_typed_is_taken_word_by_word(lived: Any) -> None:
    rows = list(rows_of(lived, AuditQuery()))
    pieces = st.sampled_from(
        ["hook", "created", "main", "no", "1", *"\"*^-+(){}:.,_ \\'%", " OR ", " NOT "]
    )

    @settings(max_examples=60, deadline=None)
    @given(text=st.lists(pieces, max_size=8).map("".join))
    def check(text: str) -> None:
        try:
            found = list(rows_of(lived, AuditQuery(text=text)))
        except Rejected:
            assert not re.search(r"[a-z0-9]", text)
            return
        assert found == [row for row in rows if holds(row, text)]

    check()


def holds(row: AuditRow, text: str) -> bool:
    """Whether each word's letters and digits stand in the row's text in one sequence."""
    tokens = f" {' '.join(tokens_of(searchable(row)))} "
    words = (" ".join(tokens_of(word)) for word in text.replace("\0", " ").split())
    return all(f" {word} " in tokens for word in words if word)


def tokens_of(text: str) -> list[str]:
    return re.findall(r"[0-9a-zäëö]+", text.lower())


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        (AuditQuery(type="hook.creatd"), "`hook.creatd` is no type: did you mean `hook.created`"),
        (AuditQuery(type="hook.created,hooks"), "`hooks` is no type: did you mean `hook`"),
        (AuditQuery(type="zzz"), "`zzz` is no type: there are `client`, `hook`"),
        (AuditQuery(origin="gitt"), "`gitt` is no origin: did you mean `git`?"),
        (AuditQuery(origin="GIT"), "there are `api`, `cli`, `dashboard`, `git`, `system`"),
    ],
)
def test_what_no_event_can_match_is_refused_and_not_answered_by_nothing(
    lived: Any, query: AuditQuery, meant: str
) -> None:
    asks: tuple[Callable[[], object], ...] = (
        lambda: lived.audit.query(query, cursor=None, limit=5),
        lambda: lived.audit.counts(query, by=CountBy.TYPE),
    )
    for ask in asks:
        with pytest.raises(Rejected) as refused:
            ask()
        assert meant in str(refused.value.problems[0])


def test_what_never_happened_yet_and_what_a_newer_server_wrote_may_be_asked_for(world: Any) -> None:
    assert not list(rows_of(world, AuditQuery(type="source.suspended", origin="dashboard")))

    with world.by("alice"):
        world.create_hook(1)
    connection = sqlite3.connect(world.path)
    with contextlib.closing(connection), connection:
        connection.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) "
            """VALUES ('orbit:1', 1, 'orbit.entered', '{"meta": {"origin": "moon"}}')"""
        )
    world.feed(world.audit)

    for query in (
        AuditQuery(type="orbit.entered"),
        AuditQuery(type="orbit"),
        AuditQuery(origin="moon"),
    ):
        (row,) = rows_of(world, query)
        assert row.subject == "orbit:1"
