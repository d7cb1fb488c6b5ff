"""Between events and stored bytes: readable JSON, and a fixed dictionary from topic to class.

The library's own mapper resolves a stored topic by importing the module it names, so whoever can
write to the table can import code here. This one knows the domain's topics and nothing else. What
it cannot read (a newer server's event, a damaged row) becomes an ``UnknownEvent``: the audit log
shows it, whoever must understand it stops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn, cast

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    Cipher,
    Compressor,
    JSONTranscoder,
    Mapper,
    StoredEvent,
    Transcoder,
)

from app.domain.aggregates import DomainEvent, Root
from app.domain.callers.client import Client
from app.domain.errors import Stalled
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName
from app.domain.sources.source import Source
from app.domain.sources.sync_runs import SyncRun
from app.domain.triggers.trigger import Trigger

AGGREGATES: tuple[type[Root], ...] = (Hook, HookName, Trigger, Source, SyncRun, Client)
"""Every aggregate whose events may be stored; a new one is added here and gets a stored sample."""

_COLUMNS = ("originator_id", "originator_version")
_VERSION = "class_version"

_decode_json = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """A stored event that this version of the server does not understand, kept as it is."""

    originator_id: str
    originator_version: int
    topic: str
    state: bytes
    problem: str
    """Why it could not be read, as a sentence without the event's content."""

    def mutate(self, aggregate: object) -> NoReturn:
        """Refuse to build an aggregate from half of its history; raises ``Stalled``."""
        del aggregate
        raise Stalled(
            f"`{self.originator_id}` cannot be loaded: its event {self.originator_version} "
            f"(`{self.topic}`) cannot be read: {self.problem} "
            "Run the server version that wrote it, or a newer one."
        )


class EventMapper(Mapper[str]):
    """Stores the members of an event as a JSON object; id and version have their own columns."""

    def __init__(
        self,
        transcoder: Transcoder | None = None,
        compressor: Compressor | None = None,
        cipher: Cipher | None = None,
    ) -> None:
        if compressor is not None or cipher is not None:
            raise Stalled(
                "Stored events stay readable JSON; "
                "unset COMPRESSOR_TOPIC, CIPHER_TOPIC and CIPHER_KEY."
            )
        super().__init__(transcoder or JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """Encode; raises ``TypeError`` for an event that could not be read back."""
        event_class = type(domain_event)
        topic = getattr(event_class, "TOPIC", "")
        if EVENTS.get(topic) is not event_class:
            raise TypeError(f"{event_class.__qualname__} is not an event of {__name__}.AGGREGATES")
        members = {key: value for key, value in vars(domain_event).items() if key not in _COLUMNS}
        if (version := _class_version(event_class)) > 1:
            members[_VERSION] = version
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=topic,
            state=msgspec.json.encode(members),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """Decode, upcasting old members; what is not understood becomes an ``UnknownEvent``."""
        try:
            return _decode(stored_event)
        except _UnreadableError as error:
            problem = str(error)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            problem = f"its content is damaged: {error}."
        return cast(
            "DomainEventProtocol[str]",
            UnknownEvent(
                originator_id=str(stored_event.originator_id),
                originator_version=stored_event.originator_version,
                topic=stored_event.topic,
                state=stored_event.state,
                problem=problem,
            ),
        )


class _UnreadableError(Exception):
    """A sentence on why a stored event is not understood."""


def _decode(stored: StoredEvent) -> DomainEventProtocol[str]:
    event_class = EVENTS.get(stored.topic)
    if event_class is None:
        raise _UnreadableError("this version of the server does not know this type of event.")
    members = _decode_json(stored.state)
    if not isinstance(members, dict):
        raise _UnreadableError("its content is damaged: it is not a JSON object.")
    if _VERSION in members or hasattr(event_class, _VERSION):
        _upcast(event_class, members)
    # The library resolves this one by name too, when it builds the aggregate.
    if members.get("originator_topic", owner := _OWNERS[stored.topic]) != owner:
        raise _UnreadableError("its content is damaged: it names an aggregate that is not its own.")
    members["originator_id"] = stored.originator_id
    members["originator_version"] = stored.originator_version
    return cast("DomainEventProtocol[str]", msgspec.convert(members, event_class))


def _upcast(event_class: type[DomainEvent], members: dict[str, Any]) -> None:
    """Bring the members of an older class version up to date, in place."""
    stored, known = members.pop(_VERSION, 1), _class_version(event_class)
    if not isinstance(stored, int) or stored > known:
        raise _UnreadableError("a newer version of the server wrote it in a newer form.")
    for version in range(stored, known):
        getattr(event_class, f"upcast_v{version}_v{version + 1}")(members)


def _class_version(event_class: type) -> int:
    return int(getattr(event_class, _VERSION, 1))


def _events() -> Mapping[str, type[DomainEvent]]:
    return MappingProxyType(
        {
            member.TOPIC: member
            for aggregate in AGGREGATES
            for member in vars(aggregate).values()
            if isinstance(member, type)
            and issubclass(member, DomainEvent)
            and hasattr(member, "TOPIC")
        }
    )


EVENTS = _events()
"""Topic to class, for every event that can be stored."""

_OWNERS = {
    topic: aggregate.TOPIC  # type: ignore[attr-defined]  # every aggregate has one
    for aggregate in AGGREGATES
    for topic, event_class in EVENTS.items()
    if event_class in vars(aggregate).values()
}
