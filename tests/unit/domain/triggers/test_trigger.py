"""The Trigger aggregate: a single hook or a chain, and definitions that never contradict it."""

from collections.abc import Iterator

import pytest

from app.domain.aggregates import Meta, recorded_as
from app.domain.errors import Conflict
from app.domain.triggers.definitions import TriggerDefinition
from app.domain.triggers.trigger import Trigger

CHAIN = TriggerDefinition("order-placed", custom=True, mode="chain")
SINGLE = TriggerDefinition("order-placed", custom=True)


@pytest.fixture
def trigger() -> Iterator[Trigger]:
    with recorded_as(Meta(actor="test", origin="system")):
        yield Trigger(trigger="order-placed")


def test_enabling_replaces_the_former_hook(trigger: Trigger) -> None:
    trigger.enable("A")
    trigger.enable("B")
    assert trigger.enabled == {"B": 0}


def test_in_a_chain_enabling_adds(trigger: Trigger) -> None:
    trigger.define(CHAIN, "source:main")
    trigger.enable("A", 2)
    trigger.enable("B", 1)
    assert trigger.enabled == {"A": 2, "B": 1}


def test_the_same_definition_twice_is_one_event(trigger: Trigger) -> None:
    trigger.define(CHAIN, "source:main")
    version = trigger.version
    trigger.define(CHAIN, "source:main")
    assert trigger.version == version


def test_a_chain_with_two_hooks_cannot_become_single(trigger: Trigger) -> None:
    trigger.define(CHAIN, "source:main")
    trigger.enable("A")
    trigger.enable("B")
    with pytest.raises(Conflict, match="2 are enabled"):
        trigger.define(SINGLE, "source:main")
    with pytest.raises(Conflict, match="2 are enabled"):
        trigger.remove_definition()


def test_without_its_definition_a_trigger_is_as_it_was(trigger: Trigger) -> None:
    trigger.define(CHAIN, "source:main")
    trigger.remove_definition()
    assert (trigger.definition, trigger.owner, trigger.mode) == (None, None, "single")
    version = trigger.version
    trigger.remove_definition()
    assert trigger.version == version
