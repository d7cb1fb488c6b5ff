"""Enable and disable hooks beside git: the operators' break-glass."""

from __future__ import annotations

from datetime import datetime

from app.application.ledger import Ledger
from app.application.ports import HookTable
from app.application.views import HookRow
from app.domain.aggregates import Meta
from app.domain.documents.places import manifest_place
from app.domain.errors import Rejected
from app.domain.hooks.hook import Hook, HookNotFound, OwnedBySource
from app.domain.revisions import Position
from app.domain.triggers.trigger import Trigger


def find_hook(hooks: HookTable, name_or_id: str) -> HookRow:
    """Look a hook up by name or ULID; raise ``NotFound``."""
    found = hooks.table.find_hook(name_or_id)
    if found is None:
        raise HookNotFound(f"There is no hook `{name_or_id}`.")
    return found


def disable_hook(
    ledger: Ledger, hook_id: str, meta: Meta, until: datetime | None = None
) -> Position:
    """Stop a hook at once, whatever git says; it stays off until its content changes in git.

    A hook that git wants enabled comes back at ``until``, if given, once a server sees to it;
    raises ``Rejected`` for another hook.
    Returns the position to wait for; nothing is recorded if it is disabled already.
    """

    def command() -> Position:
        hook = load_hook(ledger, hook_id)
        if until is not None and hook.path is None:
            raise Rejected(
                f"Hook `{hook.name}` does not come from git, so nothing says that it should come "
                "back; disable it without an end, and enable it by hand."
            )
        trigger = ledger.find(Trigger, Trigger.create_id(hook.trigger))
        if trigger is None or hook_id not in trigger.enabled:
            return ledger.head()
        trigger.disable(hook_id, break_glass=bool(hook.settings["enabled"]), until=until)
        return ledger.record(trigger)

    return ledger.attempt(meta, command)


def enable_hook(ledger: Ledger, hook_id: str, meta: Meta) -> Position:
    """Let a hook answer its trigger, switching the former one off in the same event.

    A hook that git owns can only be enabled again after a break-glass disable: to enable another
    one, commit it. Raises ``OwnedBySource``, which names the file.
    """

    def command() -> Position:
        hook = load_hook(ledger, hook_id)
        if hook.path is not None and not hook.settings["enabled"]:
            raise OwnedBySource(
                f"Hook `{hook.name}` belongs to git, which says `enabled = false`. "
                f"Commit `enabled = true` in `{manifest_place(hook.path)}` below the source's path."
            )
        trigger = ledger.find(Trigger, Trigger.create_id(hook.trigger))
        if trigger is None:
            trigger = Trigger(trigger=hook.trigger)
        trigger.enable(hook_id, hook.settings["order"])
        return ledger.record(trigger)

    return ledger.attempt(meta, command)


def load_hook(ledger: Ledger, hook_id: str) -> Hook:
    """Load a hook that exists, by ULID; raise ``NotFound``."""
    hook = ledger.find(Hook, Hook.create_id(hook_id))
    if hook is None or hook.deleted:
        raise HookNotFound(f"There is no hook `{hook_id}`.")
    return hook
