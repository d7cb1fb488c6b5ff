"""Secrets that a source declares: which of their values are not in force already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.application.ports import Vault
from app.application.views import ActiveTable, HookRow
from app.domain.errors import NotFound, Rejected
from app.domain.hooks.secrets import SealedSecret
from app.domain.plans.plan import DesiredHook, DesiredState


def with_changed_secrets(desired: DesiredState, table: ActiveTable, vault: Vault) -> DesiredState:
    """Return the state with None for each value that the hook has already.

    So a plan need not know values, and the same value twice records nothing.
    """
    if all(hook.secrets is None for hook in desired.hooks):
        return desired
    return replace(desired, hooks=tuple(_settled(hook, table, vault) for hook in desired.hooks))


def _settled(hook: DesiredHook, table: ActiveTable, vault: Vault) -> DesiredHook:
    row = table.find_hook(hook.name)
    if not hook.secrets or row is None or row.trigger != hook.trigger:
        return hook
    secrets = {
        name: None if value is None or _is_in_force(row, name, value, vault) else value
        for name, value in hook.secrets.items()
    }
    return replace(hook, secrets=secrets)


def _is_in_force(row: HookRow, name: str, value: str, vault: Vault) -> bool:
    known: Mapping[str, SealedSecret] = row.secrets
    if name not in known:
        return False
    try:
        return vault.open(row.id, known[name]) == value
    except (NotFound, Rejected):
        return False
