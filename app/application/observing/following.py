"""Follow records or log lines from a place in the journal on, without losing any in between."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

from app.application.journal_views import StoredExecution, StoredLine
from app.application.observing.live import Chunk, Feed, Numbered
from app.application.ports import Journal
from app.domain.errors import Transient
from app.domain.outcomes import OutcomeKind

MOST_REPLAYED = 10_000
"""Stored items that are looked through for a reader who comes back."""
REPLAY_PAGE = 1_000

N = TypeVar("N", bound=Numbered)
T_co = TypeVar("T_co", bound=Numbered, covariant=True)

TriggerOf = Callable[[str], str | None]
"""From the id of a hook to its trigger."""


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Filters are combined with *and*; None means any. Equal filters share their work."""

    invocation_id: str | None = None
    hook_id: str | None = None
    trigger: str | None = None
    level: str | None = None
    text: str | None = None
    """A part of the line; case does not matter."""

    def matches(self, stored: StoredLine, trigger_of: TriggerOf) -> bool:
        """Tell whether a line passes."""
        line = stored.line
        return (
            self.invocation_id in (None, line.invocation_id)
            and self.hook_id in (None, line.hook_id)
            and self.level in (None, line.level)
            and (self.text is None or self.text.lower() in line.text.lower())
            and (self.trigger is None or self.trigger == trigger_of(line.hook_id))
        )


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """The same for records."""

    trigger: str | None = None
    hook_id: str | None = None
    kind: OutcomeKind | None = None
    caller: str | None = None
    unsuccessful: bool = False
    """Only those that did not succeed."""

    def matches(self, stored: StoredExecution) -> bool:
        """Tell whether a record passes."""
        record = stored.record
        return (
            self.trigger in (None, record.trigger)
            and self.hook_id in (None, record.hook_id)
            and self.kind in (None, record.kind)
            and self.caller in (None, record.caller)
            and not (self.unsuccessful and record.kind is OutcomeKind.SUCCEEDED)
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """Items that the reader does not get."""

    dropped: int
    """How many; of those before ``reason`` ``too_old``, whether or not they pass the filter."""
    reason: Literal["too_slow", "too_old"]


class StoredItems(Protocol[T_co]):
    """Items that the journal holds; both are blocking."""

    def newest(self) -> int:
        """Return the number of the newest."""
        ...

    def after(self, sequence: int, limit: int) -> Sequence[T_co]:
        """Return those that come next after one."""
        ...


class StoredLines:
    """The journal's log lines, to be followed."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.after = journal.lines_after

    def newest(self) -> int:
        return self._journal.newest()[1]


class StoredExecutions:
    """The journal's records, to be followed."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.after = journal.executions_after

    def newest(self) -> int:
        return self._journal.newest()[0]


class Read(Protocol):
    """Asks a blocking question from a thread."""

    def __call__(self, question: Callable[[], Any], /) -> Awaitable[Any]: ...


async def follow(
    feed: Feed[N],
    wanted: LineFilter | ExecutionFilter,
    *,
    stored: StoredItems[N],
    read: Read,
    after: int | None,
    tick: float,
) -> AsyncGenerator[Chunk[N] | Gap | None, None]:
    """Yield items as they are stored, and None when nothing came for ``tick`` seconds.

    With ``after`` begin behind the item of that number, with what is stored already. Ends when the
    server stops. Closing the iterator ends the following.
    """
    reader = feed.subscribe(wanted)
    sent = 0
    try:
        if after is not None:
            async for reached, found in _replay(stored, read, after):
                sent = reached
                if isinstance(found, Gap):
                    yield found
                elif matching := [item for item in found if feed.matches(wanted, item)]:
                    yield Chunk(matching, 0)
        while not reader.ended:
            chunk = await reader.next(tick)
            if dropped := reader.take_dropped():
                yield Gap(dropped, "too_slow")
            if chunk is None:
                yield None
            elif chunk.items[0].sequence > sent:
                yield chunk
            elif rest := [item for item in chunk.items if item.sequence > sent]:
                yield Chunk(rest, 0)
    finally:
        reader.close()


async def _replay(
    stored: StoredItems[N], read: Read, after: int
) -> AsyncIterator[tuple[int, Sequence[N] | Gap]]:
    """Yield what is stored behind a number, each time with the number that is reached."""
    newest = await read(stored.newest)
    reached = min(after, newest)  # a number from another journal: begin with what comes
    if newest - reached > MOST_REPLAYED:
        dropped, reached = newest - MOST_REPLAYED - reached, newest - MOST_REPLAYED
        yield reached, Gap(dropped, "too_old")
    while items := await read(partial(stored.after, reached, REPLAY_PAGE)):
        if items[0].sequence > reached + 1:
            yield reached, Gap(items[0].sequence - reached - 1, "too_old")
        reached = items[-1].sequence
        yield reached, items


@dataclass(slots=True)
class Seats:
    """How many may follow at a time."""

    most: int
    most_of_a_client: int
    taken: Counter[str] = field(default_factory=Counter)
    """By client."""

    def check(self, client: str) -> None:
        """Raise ``Transient`` if there is no seat for this client."""
        if self.taken[client] >= self.most_of_a_client:
            raise Transient(
                f"This client follows {self.most_of_a_client} times already, the most one may"
                " (live_readers_per_client). Close one of its streams.",
            )
        if self.taken.total() >= self.most:
            raise Transient(
                f"{self.most} readers follow already, the most this server serves (live_readers)."
            )

    @contextlib.contextmanager
    def sit(self, client: str) -> Iterator[None]:
        """Hold a seat."""
        self.taken[client] += 1
        try:
            yield
        finally:
            self.taken[client] -= 1
            if not self.taken[client]:
                del self.taken[client]


@dataclass(frozen=True, slots=True)
class Live:
    """What can be followed."""

    lines: Feed[StoredLine]
    executions: Feed[StoredExecution]
    seats: Seats

    def end(self) -> None:
        """End all readers: the server stops."""
        self.lines.end()
        self.executions.end()


def open_live(trigger_of: TriggerOf, *, most: int, most_of_a_client: int) -> Live:
    """Make feeds that nobody follows yet."""

    def line_matches(wanted: Any, stored: StoredLine) -> bool:
        passes: bool = wanted.matches(stored, trigger_of)
        return passes

    def execution_matches(wanted: Any, stored: StoredExecution) -> bool:
        passes: bool = wanted.matches(stored)
        return passes

    return Live(
        Feed(line_matches, lambda stored: len(stored.line.text) + 300),
        Feed(execution_matches, lambda _: 600),
        Seats(most, most_of_a_client),
    )
