"""Deliveries that failed for good are kept, listed, driven again or discarded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.application.views import Delivery
from app.domain.errors import NotFound, Rejected
from app.queue.records import DeadLetter, Depth, Taken
from app.queue.sqlite import SqliteQueue

Make = Callable[..., Delivery]
LEASE = timedelta(seconds=30)


def take(queue: SqliteQueue, limit: int = 100, owner: str = "me") -> Taken:
    return asyncio.run(queue.take(owner, limit, LEASE))


def taken(queue: SqliteQueue, limit: int = 100) -> list[Delivery]:
    return [queue.open(lease) for lease in take(queue, limit).leases]


def bury(queue: SqliteQueue, delivery: Make, names: list[str], clock: Any) -> None:
    for name in names:
        asyncio.run(queue.enqueue(delivery(name)))
        (lease,) = take(queue).leases
        asyncio.run(queue.bury(lease, f"error of {name}"))
        clock.advance(timedelta(seconds=1))


def test_dead_letters_are_listed_newest_first_in_pages(
    queue: SqliteQueue, delivery: Make, clock: Any
) -> None:
    names = [f"i{number}" for number in range(7)]
    bury(queue, delivery, names, clock)
    found: list[DeadLetter] = []
    cursor = None
    for size in (3, 3, 1):
        page = queue.dead_letters(cursor, 3)
        assert len(page.items) == size
        found += page.items
        cursor = page.next
    assert cursor is None
    assert [each.invocation_id for each in found] == names[::-1]
    newest = found[0]
    assert (newest.error, newest.attempts, newest.trigger) == (
        "error of i6",
        1,
        "post-user-registration",
    )
    assert newest.accepted_at < newest.died_at
    with pytest.raises(Rejected, match="cursor"):
        queue.dead_letters("AAAA", 3)
    with pytest.raises(Rejected):
        queue.dead_letters(None, 0)


def test_a_dead_letter_is_driven_again_with_the_same_id_and_payload(
    queue: SqliteQueue, delivery: Make, clock: Any
) -> None:
    bury(queue, delivery, ["i1"], clock)
    assert taken(queue) == []
    queue.redrive("i1")
    assert taken(queue) == [delivery("i1")]
    assert queue.dead_letters(None, 10).items == ()
    with pytest.raises(NotFound, match="i1"):
        queue.redrive("i1")


def test_a_dead_letter_can_be_discarded(queue: SqliteQueue, delivery: Make, clock: Any) -> None:
    bury(queue, delivery, ["i1"], clock)
    queue.discard("i1")
    assert queue.depth() == Depth(waiting=0, running=0, dead=0)
    with pytest.raises(NotFound):
        queue.discard("i1")
