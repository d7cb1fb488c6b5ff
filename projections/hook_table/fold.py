"""The active-hook table as a pure fold over the events.

A batch copies each mapping it changes once and shares the others with the table before, so one
event on a table of 10,000 hooks costs the copy of one dictionary (about 0.1 ms). Every kind of
event is listed, also those without effect: one that is not listed is not understood, and the fold
stops there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from app.application.views import ActiveTable, HookRow
from app.domain.aggregates import DomainEvent
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName
from app.domain.revisions import version_key
from app.domain.sources.sync_runs import SyncRun
from app.domain.triggers.trigger import Trigger
from projections.event_log import PoisonEvent, Recorded
from projections.hook_table.draft import Draft, Keys, Step
from projections.hook_table.hook_steps import HOOK_STEPS
from projections.hook_table.peer_steps import PEER_STEPS
from projections.hook_table.source_steps import SOURCE_STEPS
from projections.hook_table.trigger_steps import TRIGGER_STEPS


def fold(table: ActiveTable, recorded: Iterable[Recorded]) -> ActiveTable:
    """Return the table as it is after ``recorded``.

    Raises ``PoisonEvent`` at the first event that is not understood.
    """
    return fold_with_changes(table, recorded)[0]


def fold_with_changes(table: ActiveTable, recorded: Iterable[Recorded]) -> tuple[ActiveTable, Keys]:
    """Fold, and say which rows are new, changed or gone; raise ``PoisonEvent``."""
    draft = Draft(table)
    for fact in recorded:
        if fact.event is None:
            raise PoisonEvent(fact, fact.problem)
        step = _STEPS.get(fact.topic)
        if step is None:
            raise PoisonEvent(fact, "this version of the hook table has no rule for it.")
        try:
            step(draft, fact, fact.event)
        except (KeyError, ValueError, TypeError) as error:
            raise PoisonEvent(
                fact, f"it contradicts the events before it ({type(error).__name__}: {error})."
            ) from error
        draft.position = fact.position
    for hook_id in draft.hooks.changed:
        if (row := draft.hooks.get(hook_id)) is not None:
            draft.hooks.put(hook_id, _keyed(row))
    return draft.finished(), draft.changed


def touched(recorded: Iterable[Recorded]) -> Keys:
    """Name the rows that folding ``recorded`` reads or writes, so that only those need loading.

    Beside them it needs the hooks that the named triggers run.
    """
    keys = Keys()
    for fact in recorded:
        match fact.kind:
            case "hook":
                keys.hooks.add(fact.identifier)
            case "trigger":
                keys.triggers.add(fact.identifier)
            case "client":
                keys.clients.add(fact.identifier)
            case "source":
                keys.sources.add(fact.identifier)
        match fact.event:
            case Hook.Created():
                keys.triggers.add(fact.event.trigger)
            case Trigger.HookEnabled() | Trigger.HookDisabled() | Trigger.OrderChanged():
                keys.hooks.add(fact.event.hook_id)
    return keys


def _keyed(row: HookRow) -> HookRow:
    key_ids = {name: secret.key_id for name, secret in row.secrets.items()}
    return replace(row, version_key=version_key(row.id, row.digest, key_ids))


def _no_effect(_draft: Draft, _fact: Recorded, _event: DomainEvent) -> None:
    """Leave the table as it is: names follow from the hooks' own events, runs are history."""


_STEPS: Mapping[str, Step] = {
    **HOOK_STEPS,
    **TRIGGER_STEPS,
    **PEER_STEPS,
    **SOURCE_STEPS,
    HookName.Created.TOPIC: _no_effect,
    HookName.Reserved.TOPIC: _no_effect,
    HookName.Released.TOPIC: _no_effect,
    SyncRun.Created.TOPIC: _no_effect,
    SyncRun.Repeated.TOPIC: _no_effect,
}

TOPICS = frozenset(_STEPS)
"""Every type of event that this version of the server understands."""
