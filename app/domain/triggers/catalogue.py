"""Which triggers there are: Auth0's points, and those that a repository defines."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import get_args

from app.domain.errors import NotFound
from app.domain.outcomes import Language
from app.domain.triggers.contracts import TriggerContract
from app.domain.triggers.definitions import TriggerDefinition
from app.domain.triggers.effects import carry_effects, event_effects
from app.domain.triggers.extensibility_points import OPTIONAL_POINTS, POINTS
from app.domain.triggers.schemas import compile_schema

CONTRACTS: Mapping[str, TriggerContract] = MappingProxyType({c.id: c for c in POINTS})
"""Every trigger that is always there, by id."""

OPTIONAL: Mapping[str, TriggerContract] = MappingProxyType({c.id: c for c in OPTIONAL_POINTS})

RESERVED = (*CONTRACTS, *OPTIONAL)
"""Ids that no custom trigger may have."""

CUSTOM_PARAMETERS = ("event", "context")


def contract_of(trigger: str, definition: str | None = None) -> TriggerContract:
    """Return the contract of a trigger, given its definition's text if there is one.

    Raises ``NotFound`` for a trigger that neither this server nor a repository knows.
    """
    if definition is not None:
        return _defined(definition)
    try:
        return CONTRACTS[trigger]
    except KeyError:
        raise unknown_trigger(trigger, CONTRACTS) from None


def unknown_trigger(trigger: str, known: Collection[str]) -> NotFound:
    """Say that there is no such trigger, and which there are."""
    return NotFound(f"There is no trigger `{trigger}`; known are: {', '.join(known)}.")


def parameters_of(trigger: str) -> tuple[str, ...]:
    """Return what a hook of this trigger is given by position; custom triggers are alike."""
    known = CONTRACTS.get(trigger) or OPTIONAL.get(trigger)
    return CUSTOM_PARAMETERS if known is None else known.parameters


def languages_of(trigger: str) -> tuple[Language, ...]:
    """Return what hooks of this trigger may be written in."""
    known = CONTRACTS.get(trigger) or OPTIONAL.get(trigger)
    return get_args(Language) if known is None else known.languages


@lru_cache(maxsize=512)
def _defined(text: str) -> TriggerContract:
    definition = TriggerDefinition.from_members(json.loads(text))
    known = CONTRACTS.get(definition.id) or OPTIONAL.get(definition.id)
    if known is not None:
        return replace(
            known,
            mode=definition.mode,
            on_error=definition.on_error,
            record=definition.record,
            mask=definition.mask,
        )
    return TriggerContract(
        id=definition.id,
        title=definition.title,
        purpose=definition.purpose,
        blocking=definition.blocking,
        parameters=CUSTOM_PARAMETERS,
        check=compile_schema({} if definition.payload is None else definition.payload, "event"),
        check_result=compile_schema(
            {} if definition.result is None else definition.result, "result"
        ),
        effects=event_effects,
        carry=carry_effects,
        missing_result_is_object=False,
        example=_example(definition),
        takes_event=True,
        mode=definition.mode,
        on_error=definition.on_error,
        payload_schema=definition.payload,
        result_schema=definition.result,
        record=definition.record,
        mask=definition.mask,
    )


def _example(definition: TriggerDefinition) -> dict[str, object]:
    examples = (definition.payload or {}).get("examples")
    first = examples[0] if isinstance(examples, list) and examples else {}
    return first if isinstance(first, dict) else {}
