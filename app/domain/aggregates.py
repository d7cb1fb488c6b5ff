"""The base of every aggregate and event: text ids, permanent topics, and who did it.

A stored event is read for ever, so its ``TOPIC`` is written out on each class and never changes;
where a class lives is free to move. ``Meta`` travels in a context variable because a command
touches several aggregates and all their events must tell the same story.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, Self

from eventsourcing.domain import (
    BaseAggregate,
    CanInitAggregate,
    CanMutateAggregate,
    MetaDomainEvent,
)

from app.domain.signers import Signer

Origin = Literal["git", "api", "dashboard", "cli", "system"]


@dataclass(frozen=True, slots=True)
class Commit:
    """What git says of the commit that caused an event.

    ``author`` and ``committer`` are claims anybody can write; only ``signer`` is proof, and it is
    set only after a signature was verified.
    """

    source: str
    sha: str
    author: str
    committer: str
    signer: Signer | None = None


@dataclass(frozen=True, slots=True)
class Meta:
    """Who changed something, through which door, and why; stored with every event."""

    actor: str
    origin: Origin
    correlation_id: str | None = None
    command_id: str | None = None
    reason: str | None = None
    commit: Commit | None = None

    def stored(self) -> dict[str, Any]:
        """Return the members that are known, the commit's flattened beside the others."""
        members = asdict(self)
        commit = members.pop("commit") or {}
        known = members | {"commit" if key == "sha" else key: commit[key] for key in commit}
        return {key: value for key, value in known.items() if value is not None}


_META: contextvars.ContextVar[Meta] = contextvars.ContextVar("hookledger_meta")


@contextlib.contextmanager
def recorded_as(meta: Meta) -> Iterator[None]:
    """Give every event made inside the block this ``meta``."""
    token = _META.set(meta)
    try:
        yield
    finally:
        _META.reset(token)


@dataclass(frozen=True)
class DomainEvent(metaclass=MetaDomainEvent):
    """A fact: which stream, which version of it, when, and who did it."""

    originator_id: str
    originator_version: int
    timestamp: datetime
    meta: dict[str, Any]


class Root(BaseAggregate[str]):
    """An aggregate with a text id; events outside ``recorded_as`` are refused."""

    class Event(DomainEvent, CanMutateAggregate[str]):
        """A change of an aggregate."""

    class Created(Event, CanInitAggregate[str]):
        """The first event of an aggregate."""

        originator_topic: str

    def trigger_event(self, event_class: Any, **members: Any) -> None:
        super().trigger_event(event_class, **{"meta": _META.get().stored(), **members})

    @classmethod
    def _create(cls, event_class: Any, *, id: str | None = None, **members: Any) -> Self:  # noqa: A002 (the library's name)
        return super()._create(event_class, id=id, **{"meta": _META.get().stored(), **members})
