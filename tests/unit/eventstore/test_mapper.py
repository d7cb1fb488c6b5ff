"""Events survive being stored, and nothing in the table can make this process import code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.persistence import JSONTranscoder, StoredEvent

from app.domain.aggregates import DomainEvent, Root
from app.domain.callers.client import Client
from app.domain.errors import Stalled
from app.eventstore.mapper import EventMapper, UnknownEvent

Make = Callable[[], list[DomainEvent]]


def stored(topic: str, state: bytes) -> StoredEvent:
    return StoredEvent(originator_id="client:x", originator_version=1, topic=topic, state=state)


def decoded(topic: str, state: bytes) -> UnknownEvent:
    event: Any = EventMapper().to_domain_event(stored(topic, state))
    assert isinstance(event, UnknownEvent)
    return event


def a_stored_client(every_event: Make, **changes: object) -> StoredEvent:
    event = next(event for event in every_event() if isinstance(event, Client.Created))
    members = json.loads(EventMapper().to_stored_event(event).state)
    return stored("client.created", json.dumps({**members, **changes}).encode())


def test_every_event_is_the_same_after_storing_and_loading(every_event: Make) -> None:
    mapper = EventMapper()

    for event in every_event():
        assert mapper.to_domain_event(mapper.to_stored_event(event)) == event


def test_a_loaded_history_makes_the_aggregates_again(every_event: Make) -> None:
    mapper = EventMapper()
    aggregates: dict[str, Any] = {}
    for event in every_event():
        loaded: Any = mapper.to_domain_event(mapper.to_stored_event(event))
        aggregates[event.originator_id] = loaded.mutate(aggregates.get(event.originator_id))

    assert len(aggregates) == 6
    assert all(isinstance(aggregate, Root) for aggregate in aggregates.values())


def test_the_stored_form_is_readable_json_without_the_columns(every_event: Make) -> None:
    event = next(event for event in every_event() if isinstance(event, Client.Created))

    members = json.loads(EventMapper().to_stored_event(event).state)

    assert members["name"] == "Registration service"
    assert members["timestamp"].endswith("Z")
    assert not members.keys() & {"originator_id", "originator_version"}


def test_an_unknown_topic_is_kept_as_it_is() -> None:
    event = decoded("client.promoted", b'{"to":"admin"}')

    assert (event.topic, event.state) == ("client.promoted", b'{"to":"admin"}')
    assert "does not know" in event.problem


def test_loading_an_aggregate_from_an_unknown_event_says_what_to_do() -> None:
    event = decoded("client.promoted", b"{}")

    with pytest.raises(Stalled, match=r"`client:x` cannot be loaded: its event 1 .*or a newer one"):
        event.mutate(None)


@pytest.mark.parametrize("topic", ["this", "this:Zen", "antigravity:fly", "os:system"])
def test_a_stored_topic_never_imports_a_module(topic: str) -> None:
    decoded(topic, b"{}")

    assert not {"this", "antigravity"} & sys.modules.keys()


def test_an_event_cannot_name_another_aggregate_to_be_built(every_event: Make) -> None:
    hostile = a_stored_client(every_event, originator_topic="antigravity:Client")

    assert "not its own" in decoded(hostile.topic, hostile.state).problem
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "state", [b"", b"nonsense", b"[]", b'"text"', b"{}", b'{"timestamp": 5}', b"\xff\xfe"]
)
def test_a_damaged_event_is_unknown_rather_than_an_error(state: bytes) -> None:
    assert "damaged" in decoded("client.created", state).problem


def test_a_damaged_event_does_not_repeat_its_content(every_event: Make) -> None:
    hostile = a_stored_client(every_event, scopes="sesame")

    assert "sesame" not in decoded(hostile.topic, hostile.state).problem


def test_a_newer_form_of_a_known_event_is_unknown(every_event: Make) -> None:
    newer = a_stored_client(every_event, class_version=2)

    assert "newer form" in decoded(newer.topic, newer.state).problem


def test_an_older_form_is_brought_up_to_date(
    every_event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = a_stored_client(every_event)

    def upcast(members: dict[str, Any]) -> None:
        members["name"] = members["name"].upper()

    monkeypatch.setattr(Client.Created, "class_version", 2, raising=False)
    monkeypatch.setattr(Client.Created, "upcast_v1_v2", staticmethod(upcast), raising=False)
    mapper = EventMapper()
    event: Any = mapper.to_domain_event(older)

    assert event.name == "REGISTRATION SERVICE"
    again = mapper.to_stored_event(event)
    assert json.loads(again.state)["class_version"] == 2
    assert mapper.to_domain_event(again) == event


def test_an_event_that_could_not_be_read_back_is_not_stored(every_event: Make) -> None:
    class Stray(Root.Event):
        TOPIC = "stray"

    event = every_event()[0]
    stray = Stray(event.originator_id, 1, event.timestamp, {})
    with pytest.raises(TypeError, match="Stray"):
        EventMapper().to_stored_event(stray)


def test_compression_and_encryption_are_refused() -> None:
    with pytest.raises(Stalled, match="COMPRESSOR_TOPIC"):
        EventMapper(JSONTranscoder(), compressor=ZlibCompressor())
