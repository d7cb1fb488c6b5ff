"""One stored event per topic must load for ever.

A sample is never changed: it stands for rows in databases out there. For a new topic, add an event
to ``make_every_event`` in ``conftest.py`` and write the missing file with this script:

    import json, pathlib, sys
    sys.path[:0] = [".", "tests/unit/eventstore"]
    from conftest import make_every_event
    from app.eventstore.mapper import EventMapper

    for event in make_every_event():
        stored = EventMapper().to_stored_event(event)
        path = pathlib.Path("tests/data/events", f"{stored.topic}.json")
        sample = {**vars(stored), "state": json.loads(stored.state)}
        if not path.exists():
            path.write_text(json.dumps(sample, indent=2, ensure_ascii=False) + "\\n")

When an event gains a member without a default, its class gets the next ``class_version`` and an
``upcast``; the sample moves to ``older/<topic>.v<version>.json``, and a new one takes its place.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eventsourcing.persistence import StoredEvent

from app.domain.aggregates import DomainEvent
from app.domain.callers.client import Client
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName
from app.domain.sources.source import Source
from app.domain.sources.sync_runs import SyncRun
from app.domain.triggers.trigger import Trigger
from app.eventstore.mapper import EVENTS, EventMapper

SAMPLES = Path(__file__).parents[2] / "data" / "events"

GOLDEN = {
    "client.created": Client.Created,
    "client.revoked": Client.Revoked,
    "hook.created": Hook.Created,
    "hook.deleted": Hook.Deleted,
    "hook.dependencies_changed": Hook.DependenciesChanged,
    "hook.moved": Hook.Moved,
    "hook.renamed": Hook.Renamed,
    "hook.script_changed": Hook.ScriptChanged,
    "hook.secret_removed": Hook.SecretRemoved,
    "hook.secret_set": Hook.SecretSet,
    "hook.settings_changed": Hook.SettingsChanged,
    "hook_name.created": HookName.Created,
    "hook_name.released": HookName.Released,
    "hook_name.reserved": HookName.Reserved,
    "source.created": Source.Created,
    "source.drift_healed": Source.DriftHealed,
    "source.plan_approved": Source.PlanApproved,
    "source.plan_held": Source.PlanHeld,
    "source.resumed": Source.Resumed,
    "source.revision_applied": Source.RevisionApplied,
    "source.revision_rejected": Source.RevisionRejected,
    "source.rolled_back": Source.RolledBack,
    "source.suspended": Source.Suspended,
    "sync_run.completed": SyncRun.Created,
    "sync_run.repeated": SyncRun.Repeated,
    "trigger.created": Trigger.Created,
    "trigger.defined": Trigger.Defined,
    "trigger.definition_removed": Trigger.DefinitionRemoved,
    "trigger.hook_disabled": Trigger.HookDisabled,
    "trigger.hook_enabled": Trigger.HookEnabled,
    "trigger.order_changed": Trigger.OrderChanged,
}
"""Topics are for ever: a line may be added here, none may be changed or removed."""


OLDER = sorted((SAMPLES / "older").glob("*.json"))


def sample_of(topic: str) -> tuple[StoredEvent, dict[str, Any]]:
    return sample_in(SAMPLES / f"{topic}.json")


def sample_in(path: Path) -> tuple[StoredEvent, dict[str, Any]]:
    sample = json.loads(path.read_text())
    members = sample.pop("state")
    return StoredEvent(**sample, state=json.dumps(members).encode()), members


def test_the_topics_are_exactly_the_golden_list() -> None:
    assert dict(EVENTS) == GOLDEN


def test_every_topic_has_a_stored_sample_and_no_sample_is_without_a_topic() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(GOLDEN)


@pytest.mark.parametrize("topic", sorted(GOLDEN))
def test_a_stored_sample_loads_as_its_class_with_all_its_members(topic: str) -> None:
    stored, members = sample_of(topic)

    event = EventMapper().to_domain_event(stored)

    assert type(event) is GOLDEN[topic]
    assert isinstance(event, DomainEvent)
    assert event.originator_id == stored.originator_id
    assert event.originator_version == stored.originator_version
    assert event.timestamp.isoformat().replace("+00:00", "Z") == members["timestamp"]
    untimed = {k: v for k, v in members.items() if k not in ("timestamp", "class_version")}
    assert msgspec.to_builtins({key: vars(event)[key] for key in untimed}) == untimed


@pytest.mark.parametrize("topic", sorted(GOLDEN))
def test_what_is_stored_today_has_the_members_of_the_sample(
    topic: str, every_event: Callable[[], list[DomainEvent]]
) -> None:
    _, members = sample_of(topic)
    stored = (EventMapper().to_stored_event(event) for event in every_event())
    today = next(event for event in stored if event.topic == topic)

    younger = {
        field.name
        for field in dataclasses.fields(GOLDEN[topic])
        if field.default is not dataclasses.MISSING
    }
    assert members.keys() <= json.loads(today.state).keys() <= members.keys() | younger


@pytest.mark.parametrize("path", OLDER, ids=lambda path: path.stem)
def test_a_sample_of_an_older_version_loads_with_what_it_lacked(path: Path) -> None:
    stored, members = sample_in(path)
    topic, _, version = path.stem.rpartition(".v")

    event = EventMapper().to_domain_event(stored)

    assert type(event) is GOLDEN[topic]
    assert members.get("class_version", 1) == int(version)
    assert getattr(type(event), "class_version", 1) > int(version)
    kept = {k: v for k, v in members.items() if k not in ("timestamp", "class_version")}
    assert {key: vars(event)[key] for key in kept} == kept
    assert vars(event).keys() > kept.keys()


def test_every_older_version_of_an_event_has_a_sample() -> None:
    older = {
        f"{topic}.v{version}"
        for topic, event_class in GOLDEN.items()
        for version in range(1, getattr(event_class, "class_version", 1))
    }
    assert {path.stem for path in OLDER} == older


def test_a_hook_moved_by_an_older_server_says_where_it_went_and_not_whence() -> None:
    event = EventMapper().to_domain_event(sample_in(SAMPLES / "older/hook.moved.v1.json")[0])
    assert isinstance(event, Hook.Moved)
    assert (event.path, event.previous) == (
        "hooks/pre-user-registration/team-a/no-throwaway",
        None,
    )
