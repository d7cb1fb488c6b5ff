"""Create, change and delete hooks that no source owns; blocking, one transaction each.

A hook that git owns is changed by commits. Here it can only be stopped and started again, as
``manage_hooks`` allows it; all else is refused with the file to commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from app.application.ledger import Ledger
from app.application.managing.manage_hooks import disable_hook, enable_hook, load_hook
from app.application.ports import Vault
from app.domain.aggregates import Meta
from app.domain.documents.places import entry_place, manifest_place
from app.domain.hooks.hook import API_OWNER, Hook, OwnedBySource
from app.domain.hooks.names import HookName
from app.domain.manifests.drafts import API_LANGUAGE, API_SETTINGS, HookDraft, HookPatch
from app.domain.outcomes import Language
from app.domain.revisions import Position, content_digest
from app.domain.triggers.trigger import Trigger


@dataclass(frozen=True, slots=True)
class WrittenHook:
    """A hook as a command left it."""

    id: str
    name: str
    script: str
    dependencies: Mapping[str, str]
    trigger: str
    enabled: bool
    position: Position


def create_hook(ledger: Ledger, hook_id: str, draft: HookDraft, meta: Meta) -> WrittenHook:
    """Make a hook, with ``hook_id`` (a new ULID) as its id; enabled, it replaces the former one.

    Raises ``Rejected`` with everything that is wrong, ``NameTaken``.
    """
    draft = draft.checked()

    def command() -> WrittenHook:
        name = _reserve(ledger, draft.name, hook_id)
        hook = Hook.create(
            hook_id,
            name=draft.name,
            trigger=draft.trigger,
            owner=API_OWNER,
            path=None,
            language=API_LANGUAGE,
            script=draft.script,
            dependencies=dict(draft.dependencies),
            settings=dict(API_SETTINGS),
            digest=content_digest(API_LANGUAGE, draft.script, draft.dependencies, API_SETTINGS),
        )
        trigger = _set_enabled(ledger, hook, enabled=draft.enabled)
        return _written(hook, trigger, ledger.record(name, hook, *trigger))

    return ledger.attempt(meta, command)


def update_hook(ledger: Ledger, hook_id: str, patch: HookPatch, meta: Meta) -> WrittenHook:
    """Change what ``patch`` names; what is so already changes nothing.

    Of a hook that git owns, ``enabled`` alone may be changed: false breaks the glass, true undoes
    that. Raises ``HookNotFound``, ``OwnedBySource``, ``NameTaken``, and ``Rejected`` with all that
    is wrong.
    """
    if load_hook(ledger, hook_id).owner != API_OWNER:
        return _override(ledger, hook_id, patch.normalised(), meta)
    patch = patch.checked()

    def command() -> WrittenHook:
        hook = load_hook(ledger, hook_id)
        names = _rename(ledger, hook, patch.name)
        _change_content(hook, patch)
        trigger = _set_enabled(ledger, hook, enabled=patch.enabled)
        return _written(hook, trigger, ledger.record(*names, hook, *trigger))

    return ledger.attempt(meta, command)


def delete_hook(ledger: Ledger, vault: Vault, hook_id: str, meta: Meta) -> Position:
    """Delete a hook, free its name, and destroy its secrets; they are gone from history too.

    Raises ``HookNotFound``, and ``OwnedBySource`` for a hook that git owns.
    """

    def command() -> tuple[Position, list[str]]:
        hook = load_hook(ledger, hook_id)
        if hook.owner != API_OWNER:
            raise OwnedBySource(
                f"Hook `{hook.name}` belongs to git. "
                f"Commit the removal of `{entry_place(hook.path or '')}` below the source's path."
            )
        keys = list(hook.secrets.values())
        trigger = _set_enabled(ledger, hook, enabled=False)
        name = _release(ledger, hook.name, hook_id)
        hook.delete()
        return ledger.record(*trigger, *name, hook), keys

    position, keys = ledger.attempt(meta, command)
    if keys:
        vault.destroy(keys)
    return position


def _override(ledger: Ledger, hook_id: str, patch: HookPatch, meta: Meta) -> WrittenHook:
    """Stop or start a hook that git owns, if that is all ``patch`` says.

    A patch that names more comes from a program that writes whole hooks: what that says of
    ``enabled`` is a copy of the past, not a person breaking the glass.
    """
    position = ledger.head()
    if patch == HookPatch(enabled=True):
        position = enable_hook(ledger, hook_id, meta)
    elif patch == HookPatch(enabled=False):
        position = disable_hook(ledger, hook_id, meta)
    hook = load_hook(ledger, hook_id)
    trigger = _trigger_of(ledger, hook)
    now = _written(hook, trigger, position)
    if differing := [member for member in _MEMBERS if _differs(patch, now, member)]:
        manifest = f"`{manifest_place(hook.path or '')}`"
        script = f"the script in `{hook.path}/`"
        files = {script if member == "script" else manifest for member in differing}
        raise OwnedBySource(
            f"Hook `{hook.name}` belongs to git, which says otherwise of {', '.join(differing)}. "
            f"Commit the change in {' and '.join(sorted(files))} below the source's path."
        )
    return now


_MEMBERS = ("name", "script", "enabled", "dependencies")
"""What a patch may name."""


def _differs(patch: HookPatch, now: WrittenHook, member: str) -> bool:
    wanted = getattr(patch, member)
    return wanted is not None and wanted != getattr(now, member)


def _change_content(hook: Hook, patch: HookPatch) -> None:
    script = hook.script if patch.script is None else patch.script
    dependencies = hook.dependencies if patch.dependencies is None else dict(patch.dependencies)
    digest = content_digest(hook.language, script, dependencies, hook.settings)
    hook.change_script(cast("Language", hook.language), script, digest)
    hook.change_dependencies(dependencies, digest)


def _set_enabled(ledger: Ledger, hook: Hook, *, enabled: bool | None) -> tuple[Trigger, ...]:
    """Return the hook's trigger, changed, if it was ever used."""
    known = _trigger_of(ledger, hook)
    if enabled:
        (trigger,) = known or (Trigger(trigger=hook.trigger),)
        trigger.enable(hook.public_id, hook.settings["order"])
        return (trigger,)
    if enabled is False:
        for trigger in known:
            trigger.disable(hook.public_id)
    return known


def _trigger_of(ledger: Ledger, hook: Hook) -> tuple[Trigger, ...]:
    found = ledger.find(Trigger, Trigger.create_id(hook.trigger))
    return (found,) if found is not None else ()


def _rename(ledger: Ledger, hook: Hook, name: str | None) -> tuple[HookName, ...]:
    """Return the names that changed hands."""
    if name is None or name == hook.name:
        return ()
    taken = _reserve(ledger, name, hook.public_id)
    released = _release(ledger, hook.name, hook.public_id)
    hook.rename(name)
    return (taken, *released)


def _reserve(ledger: Ledger, name: str, hook_id: str) -> HookName:
    found = ledger.find(HookName, HookName.create_id(name))
    if found is None:
        return HookName(name=name, hook_id=hook_id)
    found.reserve(hook_id)
    return found


def _release(ledger: Ledger, name: str, hook_id: str) -> tuple[HookName, ...]:
    found = ledger.find(HookName, HookName.create_id(name))
    if found is None:
        return ()
    found.release(hook_id)
    return (found,)


def _written(hook: Hook, trigger: tuple[Trigger, ...], position: Position) -> WrittenHook:
    return WrittenHook(
        id=hook.public_id,
        name=hook.name,
        script=hook.script,
        dependencies=hook.dependencies,
        trigger=hook.trigger,
        enabled=any(hook.public_id in each.enabled for each in trigger),
        position=position,
    )
