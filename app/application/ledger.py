"""The ledger: the only door through which facts enter the event store.

A command loads aggregates, lets them decide, and records all their events in one transaction. Two
commands that touched the same aggregate conflict by version; ``attempt`` redoes the loser on what
is true by then, so commands must decide from loaded state and nothing else.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from eventsourcing.application import (
    AggregateNotFoundError,
    Application,
)
from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    Recording,
)
from eventsourcing.utils import Environment, EnvType

from app.domain.aggregates import DomainEvent, Meta, Root, recorded_as
from app.domain.errors import Conflict, Transient
from app.domain.revisions import Position

A = TypeVar("A", bound=Root)
R = TypeVar("R")

_ATTEMPTS = 8
_LONGEST_PAUSE = 0.02
"""Seconds."""


class Ledger(Application[str]):
    """Aggregates in, positions out; thread-safe, blocking."""

    name = "hookledger"

    def __init__(self, env: Mapping[str, str]) -> None:
        self._wakers: list[Callable[[], None]] = []
        # The library copies what it has cached without holding its lock: it could be half renewed.
        self._loading = threading.Lock()
        super().__init__(env)

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Take settings from the argument alone; the library would let the process's win."""
        return Environment(name, dict(env or {}))

    def add_waker(self, waker: Callable[[], None]) -> None:
        """Have ``waker`` called, in the committing thread, after every commit."""
        self._wakers.append(waker)

    def head(self) -> Position:
        """Return the position of the newest event; 0 for an empty store."""
        return Position(self.recorder.max_notification_id() or 0)

    def find(self, aggregate_class: type[A], aggregate_id: str) -> A | None:
        """Load an aggregate as it is now; None if it has no events."""
        try:
            with self._loading:
                found: Root = self.repository.get(aggregate_id)
        except AggregateNotFoundError:
            return None
        if not isinstance(found, aggregate_class):
            raise Conflict(f"`{aggregate_id}` is not a {aggregate_class.__name__}.")
        return found

    def events_of(self, aggregate_id: str) -> Iterator[DomainEvent]:
        """Return everything that happened to an aggregate, oldest first."""
        found: Iterator[Any] = self.events.get(aggregate_id)
        return found

    def record(self, *aggregates: Root) -> Position:
        """Store all pending events in one transaction.

        Returns the position of the last one, or the head if there was nothing to store. Raises the
        library's ``IntegrityError`` when an aggregate changed meanwhile; wrap it in ``attempt``.
        Raises ``Transient`` when the store cannot be written, e.g. because the disk is full.
        """
        try:
            recordings = self.save(*(a for a in aggregates if a.pending_events))
        except (OperationalError, InterfaceError) as error:
            raise Transient(
                f"The ledger cannot be written now: {error}. Nothing was changed."
            ) from error
        return Position(recordings[-1].notification.id) if recordings else self.head()

    def attempt(self, meta: Meta, command: Callable[[], R]) -> R:
        """Run ``command``, its events recorded as ``meta``; redo it after a lost race.

        Raises ``Transient`` when it keeps losing.
        """
        with recorded_as(meta):
            for attempt in range(_ATTEMPTS):
                try:
                    return command()
                except IntegrityError:
                    # Whoever lost as well is not to come again at the same moment.
                    longest = _LONGEST_PAUSE * attempt / _ATTEMPTS
                    threading.Event().wait(random.uniform(0, longest))  # noqa: S311 (no secret)
        raise Transient("Others keep changing the same thing; nothing was changed. Try again.")

    def _notify(self, recordings: list[Recording[str]]) -> None:
        super()._notify(recordings)
        for waker in self._wakers:
            waker()
