"""What each event of a hook does to the active-hook table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from msgspec.structs import replace

from app.application.views import HookRow
from app.domain.aggregates import DomainEvent
from app.domain.hooks.hook import Hook
from app.domain.hooks.secrets import SealedSecret
from app.domain.outcomes import Language
from projections.event_log import Recorded
from projections.hook_table.draft import Draft, Step


def _hook_created(draft: Draft, fact: Recorded, event: Hook.Created) -> None:
    hook_id = fact.identifier
    trigger = draft.triggers.get(event.trigger)
    row = HookRow(
        id=hook_id,
        name=event.name,
        trigger=event.trigger,
        owner=event.owner,
        path=event.path,
        language=_language(event.language),
        script=event.script,
        digest=event.digest,
        dependencies=event.dependencies,
        settings=event.settings,
        secrets={},
        # The trigger's event may stand before this one in the same transaction.
        enabled=trigger is not None and hook_id in trigger.hooks,
        break_glass=False,
        commit=event.meta.get("commit"),
        position=fact.position,
        version_key="",  # of the row as it is at the end of the batch
        created_at=event.timestamp,
        updated_at=event.timestamp,
    )
    draft.hooks.put(hook_id, row)
    draft.names.put(event.name, hook_id)


def _script_changed(draft: Draft, fact: Recorded, event: Hook.ScriptChanged) -> None:
    _runs_otherwise(
        draft,
        fact,
        event,
        language=_language(event.language),
        script=event.script,
        digest=event.digest,
    )


def _dependencies_changed(draft: Draft, fact: Recorded, event: Hook.DependenciesChanged) -> None:
    _runs_otherwise(draft, fact, event, dependencies=event.dependencies, digest=event.digest)


def _settings_changed(draft: Draft, fact: Recorded, event: Hook.SettingsChanged) -> None:
    _runs_otherwise(draft, fact, event, settings=event.settings, digest=event.digest)


def _renamed(draft: Draft, fact: Recorded, event: Hook.Renamed) -> None:
    row = _change(draft, fact, event, name=event.name)
    # Two hooks may swap their names in one transaction: the other may hold this name already.
    if draft.names.get(event.previous) == row.id:
        draft.names.drop(event.previous)
    draft.names.put(event.name, row.id)


def _moved(draft: Draft, fact: Recorded, event: Hook.Moved) -> None:
    _change(draft, fact, event, path=event.path)


def _deleted(draft: Draft, fact: Recorded, _event: Hook.Deleted) -> None:
    hook_id = fact.identifier
    name = draft.hooks[hook_id].name
    draft.hooks.drop(hook_id)
    if draft.names.get(name) == hook_id:
        draft.names.drop(name)


def _secret_set(draft: Draft, fact: Recorded, event: Hook.SecretSet) -> None:
    secret = SealedSecret(name=event.name, key_id=event.key_id, ciphertext=event.ciphertext)
    secrets = {**draft.hooks[fact.identifier].secrets, event.name: secret}
    _change(draft, fact, event, secrets=secrets, position=fact.position)


def _secret_removed(draft: Draft, fact: Recorded, event: Hook.SecretRemoved) -> None:
    secrets = dict(draft.hooks[fact.identifier].secrets)
    del secrets[event.name]
    _change(draft, fact, event, secrets=secrets, position=fact.position)


def _runs_otherwise(draft: Draft, fact: Recorded, event: DomainEvent, **members: Any) -> None:
    # A change from elsewhere has no commit, and must not keep the name of one that did not make it.
    commit = event.meta.get("commit")
    _change(draft, fact, event, commit=commit, position=fact.position, **members)


def _change(draft: Draft, fact: Recorded, event: DomainEvent, **members: Any) -> HookRow:
    row = replace(draft.hooks[fact.identifier], updated_at=event.timestamp, **members)
    draft.hooks.put(row.id, row)
    return row


def _language(text: str) -> Language:
    if text not in get_args(Language):
        raise ValueError(f"unknown language `{text}`")
    return cast("Language", text)


HOOK_STEPS: Mapping[str, Step] = {
    Hook.Created.TOPIC: _hook_created,
    Hook.ScriptChanged.TOPIC: _script_changed,
    Hook.Renamed.TOPIC: _renamed,
    Hook.Moved.TOPIC: _moved,
    Hook.DependenciesChanged.TOPIC: _dependencies_changed,
    Hook.SettingsChanged.TOPIC: _settings_changed,
    Hook.Deleted.TOPIC: _deleted,
    Hook.SecretSet.TOPIC: _secret_set,
    Hook.SecretRemoved.TOPIC: _secret_removed,
}
