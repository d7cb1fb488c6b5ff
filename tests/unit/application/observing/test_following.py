"""Readers may be slow, late or many; nobody else notices."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest

from app.application.journal_views import StoredLine
from app.application.observing.following import (
    MOST_REPLAYED,
    ExecutionFilter,
    Gap,
    LineFilter,
    Seats,
    follow,
    open_live,
)
from app.application.observing.live import MOST_BYTES, MOST_ITEMS, Chunk, Feed
from app.domain.errors import Transient
from app.domain.outcomes import Level, LogLine

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def line(number: int, *, hook: str = "h1", level: Level = "info", text: str = "x") -> StoredLine:
    return StoredLine(number, LogLine("i", hook, NOON, level, "stdout", text))


def lines(first: int, last: int) -> list[StoredLine]:
    return [line(number) for number in range(first, last + 1)]


class Stored:
    def __init__(self, items: Sequence[StoredLine] = ()) -> None:
        self.items = list(items)

    def newest(self) -> int:
        return self.items[-1].sequence if self.items else 0

    def after(self, sequence: int, limit: int) -> Sequence[StoredLine]:
        return [item for item in self.items if item.sequence > sequence][:limit]


async def read(question: Callable[[], Any]) -> Any:
    return question()


def live() -> Any:
    return open_live({"h1": "t1", "h2": "t2"}.get, most=3, most_of_a_client=2)


def followed(
    feed: Feed[StoredLine], wanted: LineFilter, stored: Stored, after: int | None = None
) -> AsyncGenerator[Chunk[StoredLine] | Gap | None, None]:
    return follow(feed, wanted, stored=stored, read=read, after=after, tick=5)


def numbers(found: Any) -> Any:
    return [each.sequence for each in found.items] if isinstance(found, Chunk) else found


async def begun(feed: Feed[StoredLine], count: int = 1) -> None:
    while feed.readers < count:  # noqa: ASYNC110 (nobody sets an event for it)
        await asyncio.sleep(0)


def run(scenario: Callable[[], Any]) -> Any:
    return asyncio.run(scenario())


def test_what_is_stored_reaches_those_whose_filter_it_passes() -> None:
    async def scenario() -> list[Any]:
        feed = live().lines
        wanted = [LineFilter(), LineFilter(trigger="t2"), LineFilter(level="error", hook_id="h1")]
        readers = [feed.subscribe(each) for each in wanted]
        feed.publish([line(1), line(2, hook="h2"), line(3, level="error")])
        return [numbers(await reader.next(5)) for reader in readers]

    assert run(scenario) == [[1, 2, 3], [2], [3]]


def test_a_part_of_the_text_is_found_whatever_its_case() -> None:
    feeds = live()
    wanted = LineFilter(text="SOME")
    assert feeds.lines.matches(wanted, line(1, text="is awesome"))
    assert not feeds.lines.matches(wanted, line(2, text="is not"))


def test_readers_of_the_same_share_what_is_made_of_it() -> None:
    written: list[int] = []

    def write(items: Sequence[StoredLine]) -> bytes:
        written.append(len(items))
        return b"written"

    async def scenario() -> None:
        feed = live().lines
        readers = [feed.subscribe(LineFilter(level="info")) for _ in range(50)]
        feed.publish(lines(1, 3))
        for reader in readers:
            chunk = await reader.next(5)
            assert chunk is not None
            assert chunk.written(write) == b"written"

    run(scenario)
    assert written == [3]


def test_a_reader_that_does_not_read_loses_the_oldest_and_is_told_how_many() -> None:
    async def scenario() -> tuple[list[Any], int]:
        feed = live().lines
        async with aclosing(followed(feed, LineFilter(), Stored(), after=None)) as following:
            first = asyncio.ensure_future(anext(following))
            await begun(feed)
            for start in range(1, 2 * MOST_ITEMS, 100):
                feed.publish(lines(start, start + 99))
            await asyncio.sleep(0)
            found = [await first]
            found += [await anext(following) for _ in range(MOST_ITEMS // 100 - 1)]
            return found, feed.dropped

    found, dropped = run(scenario)
    assert found[0] == Gap(2000, "too_slow")
    assert numbers(found[1])[0] == 2001
    assert dropped == 2000


def test_what_waits_for_a_reader_is_bounded_in_bytes_too() -> None:
    async def scenario() -> int:
        reader = live().lines.subscribe(LineFilter())
        for number in range(100):
            reader.give(Chunk([line(number)], MOST_BYTES // 4))
        return int(reader.take_dropped())

    assert run(scenario) == 96


def test_a_reader_that_comes_back_gets_what_it_missed_and_then_what_comes_once() -> None:
    async def scenario() -> list[Any]:
        feed, stored = live().lines, Stored(lines(1, 5))
        async with aclosing(followed(feed, LineFilter(), stored, after=2)) as following:
            first = numbers(await anext(following))
            feed.publish(lines(4, 5))
            feed.publish(lines(5, 7))
            feed.publish([line(8)])
            return [first, *[numbers(await anext(following)) for _ in range(2)]]

    assert run(scenario) == [[3, 4, 5], [6, 7], [8]]


def test_what_is_no_longer_stored_is_a_gap() -> None:
    async def scenario() -> list[Any]:
        stored = Stored(lines(50, 51))
        async with aclosing(followed(live().lines, LineFilter(), stored, after=9)) as following:
            return [numbers(await anext(following)) for _ in range(2)]

    assert run(scenario) == [Gap(40, "too_old"), [50, 51]]


def test_of_much_that_was_missed_only_the_newest_is_replayed() -> None:
    async def scenario() -> list[Any]:
        stored = Stored(lines(1, MOST_REPLAYED + 7))
        async with aclosing(followed(live().lines, LineFilter(), stored, after=0)) as following:
            return [await anext(following), numbers(await anext(following))[0]]

    assert run(scenario) == [Gap(7, "too_old"), 8]


def test_a_number_from_another_journal_begins_now() -> None:
    async def scenario() -> Any:
        feed = live().lines
        async with aclosing(
            followed(feed, LineFilter(), Stored(lines(1, 3)), after=1000)
        ) as following:
            first = asyncio.ensure_future(anext(following))
            await begun(feed)
            feed.publish([line(4)])
            return numbers(await first)

    assert run(scenario) == [4]


def test_the_end_of_the_server_ends_all_and_those_who_come_later() -> None:
    async def scenario() -> list[Any]:
        feeds = live()
        waiting = asyncio.ensure_future(
            anext(followed(feeds.lines, LineFilter(), Stored()), "over")
        )
        await begun(feeds.lines)
        feeds.end()
        late = [found async for found in followed(feeds.lines, LineFilter(), Stored())]
        return [await waiting, late]

    waited, late = run(scenario)
    assert waited is None or waited == "over"
    assert late == []


def test_who_leaves_is_forgotten_and_then_nothing_is_handed_over() -> None:
    async def scenario() -> tuple[int, int]:
        feed = live().lines
        async with aclosing(followed(feed, LineFilter(), Stored())) as following:
            first = asyncio.ensure_future(anext(following))
            await begun(feed)
            during = feed.readers
            feed.publish([line(1)])
            await first
        return during, feed.readers

    assert run(scenario) == (1, 0)


def test_what_other_threads_publish_while_readers_come_and_go_is_not_torn() -> None:
    async def scenario() -> list[int]:
        feed = live().lines
        stays = feed.subscribe(LineFilter())
        done = threading.Event()

        def publish() -> None:
            for number in range(1, 501):
                feed.publish([line(number)])
            done.set()

        thread = threading.Thread(target=publish)
        thread.start()
        while not done.is_set():
            feed.subscribe(LineFilter(hook_id="h2")).close()
            await asyncio.sleep(0)
        thread.join()
        got: list[int] = []
        while len(got) < 500:
            got += numbers(await stays.next(5))
        return got

    assert run(scenario) == list(range(1, 501))


def test_seats_are_counted_for_each_client_and_in_all() -> None:
    seats = Seats(most=3, most_of_a_client=2)
    with seats.sit("a"), seats.sit("a"):
        with pytest.raises(Transient, match="follows 2 times"):
            seats.check("a")
        seats.check("b")
        with seats.sit("b"), pytest.raises(Transient, match="3 readers follow"):
            seats.check("c")
    seats.check("a")
    assert not seats.taken


def test_records_are_followed_alike() -> None:
    assert ExecutionFilter() == ExecutionFilter()
    assert hash(ExecutionFilter(trigger="t")) == hash(ExecutionFilter(trigger="t"))
