"""What each event of a trigger does to the active-hook table."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from app.application.acts import Act
from app.application.views import TriggerRow
from app.domain.aggregates import DomainEvent
from app.domain.triggers.definitions import TriggerDefinition
from app.domain.triggers.trigger import Trigger
from projections.event_log import Recorded
from projections.hook_table.acts import act_of
from projections.hook_table.draft import Draft, Step


def _trigger_created(draft: Draft, fact: Recorded, event: Trigger.Created) -> None:
    draft.triggers.put(
        event.trigger, TriggerRow(id=event.trigger, hooks=(), position=fact.position)
    )


def _hook_enabled(draft: Draft, fact: Recorded, event: Trigger.HookEnabled) -> None:
    for other in event.replaced:
        _replace(draft, fact, event, other)
    _set_enabled(draft, fact, event, event.hook_id, enabled=True)
    left = [each for each in _trigger(draft, fact).hooks if each not in event.replaced]
    _arrange(draft, fact, [*left, event.hook_id], {event.hook_id: event.order})


def _hook_disabled(draft: Draft, fact: Recorded, event: Trigger.HookDisabled) -> None:
    override = act_of(event, event.until) if event.break_glass else None
    _set_enabled(draft, fact, event, event.hook_id, enabled=False, override=override)
    _arrange(
        draft, fact, [each for each in _trigger(draft, fact).hooks if each != event.hook_id], {}
    )


def _order_changed(draft: Draft, fact: Recorded, event: Trigger.OrderChanged) -> None:
    _arrange(draft, fact, list(_trigger(draft, fact).hooks), {event.hook_id: event.order})


def _defined(draft: Draft, fact: Recorded, event: Trigger.Defined) -> None:
    text = TriggerDefinition.from_members(event.definition).text
    row = replace(_trigger(draft, fact), owner=event.owner, definition=text, position=fact.position)
    draft.triggers.put(row.id, row)


def _definition_removed(draft: Draft, fact: Recorded, _event: Trigger.DefinitionRemoved) -> None:
    row = replace(_trigger(draft, fact), owner=None, definition=None, position=fact.position)
    draft.triggers.put(row.id, row)


def _replace(draft: Draft, fact: Recorded, event: Trigger.HookEnabled, hook_id: str) -> None:
    """Disable the hook in whose place another runs; against git, if git did not say so."""
    row = draft.hooks.get(hook_id)
    against_git = (
        row is not None
        and row.path is not None
        and bool(row.settings.get("enabled"))
        and "commit" not in event.meta
    )
    override = act_of(event) if against_git else None
    _set_enabled(draft, fact, event, hook_id, enabled=False, override=override)


def _set_enabled(
    draft: Draft,
    fact: Recorded,
    event: DomainEvent,
    hook_id: str,
    *,
    enabled: bool,
    override: Act | None = None,
) -> None:
    row = draft.hooks.get(hook_id)
    if row is None:  # deleted, or created further down in the same transaction
        return
    row = replace(
        row,
        enabled=enabled,
        break_glass=override is not None,
        override=override,
        updated_at=event.timestamp,
    )
    if enabled:
        commit = event.meta.get("commit", row.commit)
        row = replace(row, commit=commit, position=fact.position)
    draft.hooks.put(hook_id, row)


def _arrange(draft: Draft, fact: Recorded, hook_ids: list[str], orders: Mapping[str, int]) -> None:
    """Sort a trigger's hooks by order, then id; orders not given are those of the manifests."""

    def place(hook_id: str) -> tuple[int, str]:
        row = draft.hooks.get(hook_id)
        from_manifest = 0 if row is None else int(row.settings.get("order", 0))
        return orders.get(hook_id, from_manifest), hook_id

    row = _trigger(draft, fact)
    hooks = tuple(sorted(hook_ids, key=place))
    draft.triggers.put(row.id, replace(row, hooks=hooks, position=fact.position))


def _trigger(draft: Draft, fact: Recorded) -> TriggerRow:
    return draft.triggers[fact.identifier]


TRIGGER_STEPS: Mapping[str, Step] = {
    Trigger.Created.TOPIC: _trigger_created,
    Trigger.HookEnabled.TOPIC: _hook_enabled,
    Trigger.HookDisabled.TOPIC: _hook_disabled,
    Trigger.OrderChanged.TOPIC: _order_changed,
    Trigger.Defined.TOPIC: _defined,
    Trigger.DefinitionRemoved.TOPIC: _definition_removed,
}
