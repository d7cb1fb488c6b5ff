"""Lists longer than a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from app.application.views import Page

T = TypeVar("T")

_PAGE = 500


def take(ask: Callable[[str | None, int], Page[T]], limit: int) -> Iterator[T]:
    """Yield up to ``limit`` items; ``ask`` gets a cursor and the size of a page."""
    cursor = None
    while limit > 0:
        page = ask(cursor, min(limit, _PAGE))
        yield from page.items
        limit -= len(page.items)
        cursor = page.next
        if cursor is None:
            return
