"""The event store as its readers see it: an ordered log of facts, some perhaps not understood.

Errors are sorted here once: ``Transient`` is worth another try, ``PoisonEvent`` is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from eventsourcing.persistence import (
    InterfaceError,
    Mapper,
    Notification,
    OperationalError,
)

from app.domain.aggregates import DomainEvent
from app.domain.errors import Stalled, Transient
from app.domain.revisions import Position


class Recorded(msgspec.Struct, frozen=True):
    """An event with its place in the log."""

    position: Position
    stream: str
    version: int
    """Number of the event within its stream, from 1."""
    topic: str
    event: DomainEvent | None
    """None if this version of the server does not understand it."""
    state: bytes = b""
    """The members as they are stored."""
    problem: str = ""
    """Why ``event`` is None."""

    @property
    def kind(self) -> str:
        """The stream's part before the colon, e.g. ``hook``."""
        return self.stream.partition(":")[0]

    @property
    def identifier(self) -> str:
        """The stream's part after the colon, e.g. a ULID."""
        return self.stream.partition(":")[2]


class EventLog(Protocol):
    """Everything that ever happened, in the order of positions."""

    def select(self, after: Position, limit: int) -> Sequence[Recorded]:
        """Return up to ``limit`` events after ``after``; raise ``Transient`` if it may work later.

        A shorter answer than asked for ends at the end of a committed transaction.
        """
        ...

    def head(self) -> Position:
        """Return the newest position, 0 for an empty log; raise ``Transient``."""
        ...


class PoisonEvent(Stalled):
    """An event that a projection cannot take in; it stops there rather than skip a fact."""

    def __init__(self, recorded: Recorded, reason: str) -> None:
        super().__init__(
            f"Event {recorded.position} (`{recorded.topic}` of `{recorded.stream}`) "
            f"cannot be processed: {reason}"
        )
        self.position = recorded.position
        self.topic = recorded.topic


def whole_before(recorded: Sequence[Recorded], position: Position) -> Sequence[Recorded]:
    """Return the events before ``position``, less those of the same command right before it.

    What one command recorded takes effect whole or not at all.
    """
    before = [fact for fact in recorded if fact.position < position]
    command = next((_command(fact) for fact in recorded if fact.position == position), None)
    while command is not None and before and _command(before[-1]) == command:
        before.pop()
    return before


class Notifications(Protocol):
    """Stored events in their order: what is asked of the library's recorder."""

    def select_notifications(
        self, start: int | None, limit: int, *, inclusive_of_start: bool = True
    ) -> Sequence[Notification]:
        """Return up to ``limit`` events from ``start`` on."""
        ...

    def max_notification_id(self) -> int | None:
        """Return the newest position; None for an empty log."""
        ...


class StoredEventLog:
    """The log read through a recorder and the event store's mapper."""

    def __init__(self, recorder: Notifications, mapper: Mapper[str]) -> None:
        self._recorder = recorder
        self._mapper = mapper

    def select(self, after: Position, limit: int) -> Sequence[Recorded]:
        try:
            notifications = self._recorder.select_notifications(
                after, limit, inclusive_of_start=False
            )
        except (OperationalError, InterfaceError) as error:
            raise Transient(f"The event store cannot be read: {error}.") from error
        return [self._recorded(notification) for notification in notifications]

    def head(self) -> Position:
        try:
            return Position(self._recorder.max_notification_id() or 0)
        except (OperationalError, InterfaceError) as error:
            raise Transient(f"The event store cannot be read: {error}.") from error

    def _recorded(self, notification: Notification) -> Recorded:
        event = self._mapper.to_domain_event(notification)
        known = isinstance(event, DomainEvent)
        return Recorded(
            position=Position(notification.id),
            stream=str(notification.originator_id),
            version=notification.originator_version,
            topic=notification.topic,
            event=event if isinstance(event, DomainEvent) else None,
            state=_bytes(notification.state),
            problem="" if known else str(getattr(event, "problem", "it is not understood.")),
        )


def _bytes(state: bytes | str) -> bytes:
    """Take text as its bytes: SQLite keeps any type in any column, and others write there too."""
    return state if isinstance(state, bytes) else state.encode("utf-8", "surrogatepass")


class _Correlated(msgspec.Struct):
    correlation_id: str | None = None


class _Envelope(msgspec.Struct):
    meta: _Correlated = msgspec.field(default_factory=_Correlated)


def _command(fact: Recorded) -> str | None:
    """Return what the events of one command have in common, also of an unknown event."""
    try:
        return msgspec.json.decode(fact.state, type=_Envelope).meta.correlation_id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
