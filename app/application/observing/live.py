"""Following what the journal stores: readers that may be slow, and never slow anybody else.

Records and lines come in the batches in which they were stored. Readers that follow the same
thing share each batch, so that what is made of it is made once. Each reader has a bounded queue;
what does not fit is dropped, the oldest first, and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

MOST_ITEMS = 2_000
"""Lines or records that wait for a reader."""
MOST_BYTES = 1 << 20
"""Of their text."""
CHUNK_ITEMS = 1_000
"""Items that are handed over, and written, at a time."""


class Numbered(Protocol):
    """What is followed."""

    @property
    def sequence(self) -> int:
        """Its place in the journal; later ones have greater numbers."""
        ...


T = TypeVar("T", bound=Numbered)


class Chunk(Generic[T]):
    """Some items, in order, shared by all who follow the same."""

    def __init__(self, items: Sequence[T], size: int) -> None:
        self.items = items
        self.size = size
        """About how many bytes they take."""
        self._written: bytes | None = None

    def written(self, write: Callable[[Sequence[T]], bytes]) -> bytes:
        """Return what ``write`` makes of the items; it is asked once."""
        if self._written is None:
            self._written = write(self.items)
        return self._written


class Reader(Generic[T]):
    """One who follows; used by one task of the event loop."""

    def __init__(self, leave: Callable[[Reader[T]], None]) -> None:
        self._leave = leave
        self._waiting: deque[Chunk[T]] = deque()
        self._items = self._bytes = self._dropped = 0
        self._woken = asyncio.Event()
        self.ended = False
        """Whether nothing more will come: the server stops."""

    async def next(self, timeout: float) -> Chunk[T] | None:
        """Wait for items; None after ``timeout`` seconds, or when it has ended."""
        if not self._waiting and not self.ended:
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), timeout)
        if not self._waiting:
            return None
        chunk = self._waiting.popleft()
        self._items -= len(chunk.items)
        self._bytes -= chunk.size
        return chunk

    def take_dropped(self) -> int:
        """Return how many items were dropped before the next ones, and count anew."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def close(self) -> None:
        """Follow no longer."""
        self._leave(self)

    def give(self, chunk: Chunk[T]) -> int:
        """Queue a chunk; make room by dropping the oldest, and return how many items that were."""
        before = self._dropped
        self._waiting.append(chunk)
        self._items += len(chunk.items)
        self._bytes += chunk.size
        while len(self._waiting) > 1 and (self._items > MOST_ITEMS or self._bytes > MOST_BYTES):
            oldest = self._waiting.popleft()
            self._items -= len(oldest.items)
            self._bytes -= oldest.size
            self._dropped += len(oldest.items)
        self._woken.set()
        return self._dropped - before

    def end(self) -> None:
        """Say that nothing more will come."""
        self.ended = True
        self._woken.set()


class Feed(Generic[T]):
    """What is stored, for those who follow. ``publish`` from any thread, the rest from the loop."""

    def __init__(self, matches: Callable[[Hashable, T], bool], size: Callable[[T], int]) -> None:
        """Make a feed; ``matches`` tells whether a filter lets an item pass."""
        self.matches = matches
        self._size = size
        self._readers: dict[Hashable, set[Reader[T]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False
        self.dropped = 0
        """Items that readers were too slow for, since the start."""
        self.reached = 0
        """Number of the newest item that was handed over, to those whose filter it passes; readers
        with nothing in their queue have seen all of theirs up to here."""

    @property
    def readers(self) -> int:
        """How many follow now."""
        return sum(len(readers) for readers in self._readers.values())

    def subscribe(self, wanted: Hashable) -> Reader[T]:
        """Follow what passes the filter ``wanted``; close the reader when done."""

        def leave(reader: Reader[T]) -> None:
            readers = self._readers.get(wanted, set())
            readers.discard(reader)
            if not readers:
                self._readers = {k: v for k, v in self._readers.items() if k != wanted}

        self._loop = asyncio.get_running_loop()
        reader = Reader(leave)
        # Replaced, not changed: the thread that publishes goes through the keys.
        self._readers = {**self._readers, wanted: {*self._readers.get(wanted, ()), reader}}
        if self._ended:
            reader.end()
        return reader

    def publish(self, items: Iterable[T]) -> None:
        """Hand over what was stored; while nobody follows, the items are not looked at."""
        readers, loop = self._readers, self._loop
        if not readers or loop is None:
            return
        if not (stored := list(items)):
            return
        sorted_out = [(wanted, self._chunks(wanted, stored)) for wanted in readers]
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
            loop.call_soon_threadsafe(self._deliver, sorted_out, stored[-1].sequence)

    def end(self) -> None:
        """End all readers, and those to come: the server stops."""
        self._ended = True
        for readers in self._readers.values():
            for reader in readers:
                reader.end()

    def _chunks(self, wanted: Hashable, items: Sequence[T]) -> list[Chunk[T]]:
        matching = [item for item in items if self.matches(wanted, item)]
        parts = [
            matching[start : start + CHUNK_ITEMS] for start in range(0, len(matching), CHUNK_ITEMS)
        ]
        return [Chunk(part, sum(map(self._size, part))) for part in parts]

    def _deliver(
        self, sorted_out: Sequence[tuple[Hashable, Sequence[Chunk[T]]]], reached: int
    ) -> None:
        self.reached = reached
        for wanted, chunks in sorted_out:
            for reader in self._readers.get(wanted, ()):
                for chunk in chunks:
                    self.dropped += reader.give(chunk)
