"""Set and remove secret values; nobody can read one back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from app.application.ledger import Ledger
from app.application.managing.manage_hooks import load_hook
from app.application.ports import Vault
from app.domain.aggregates import Meta
from app.domain.hooks.hook import Hook, SecretNotFound, SecretTaken
from app.domain.hooks.secrets import SealedSecret, check_secrets
from app.domain.revisions import Position

Condition = Callable[[Hook], None]
"""Raises what speaks against writing to this hook."""


def set_secret(
    ledger: Ledger, vault: Vault, hook_id: str, name: str, value: str, meta: Meta
) -> Position:
    """Seal a value and record it, whether or not there is one of that name.

    Raises ``Rejected`` for a bad name or value, ``HookNotFound``.
    """
    return _write(ledger, vault, hook_id, {name: value}, meta, lambda _: None)


def add_secrets(
    ledger: Ledger, vault: Vault, hook_id: str, values: Mapping[str, str], meta: Meta
) -> Position:
    """Seal and record new values, all or none; raises also ``SecretTaken``."""

    def condition(hook: Hook) -> None:
        if taken := sorted(hook.secrets.keys() & values.keys()):
            raise SecretTaken(
                f"Hook `{hook.name}` has {_listed(taken)} already; update what exists."
            )

    return _write(ledger, vault, hook_id, values, meta, condition)


def change_secrets(
    ledger: Ledger, vault: Vault, hook_id: str, values: Mapping[str, str], meta: Meta
) -> Position:
    """Replace values, all or none; raises also ``SecretNotFound``."""
    return _write(ledger, vault, hook_id, values, meta, lambda hook: _require(hook, values))


def remove_secret(ledger: Ledger, vault: Vault, hook_id: str, name: str, meta: Meta) -> Position:
    """Record the removal, then destroy the key; raise ``SecretNotFound``."""
    return remove_secrets(ledger, vault, hook_id, [name], meta)


def remove_secrets(
    ledger: Ledger, vault: Vault, hook_id: str, names: Iterable[str], meta: Meta
) -> Position:
    """Record the removals, all or none, then destroy the keys; raise ``SecretNotFound``."""
    wanted = list(dict.fromkeys(names))

    def command() -> tuple[Position, list[str]]:
        hook = load_hook(ledger, hook_id)
        _require(hook, wanted)
        keys = [hook.remove_secret(name) for name in wanted]
        return ledger.record(hook), keys

    position, keys = ledger.attempt(meta, command)
    vault.destroy(keys)
    return position


def _write(
    ledger: Ledger,
    vault: Vault,
    hook_id: str,
    values: Mapping[str, str],
    meta: Meta,
    condition: Condition,
) -> Position:
    """Seal and record all values or none; the keys of those they replace are destroyed.

    Data keys are stored before the events, and replaced ones destroyed after them: a crash in
    between leaves orphaned keys, never an unreadable secret.
    """
    check_secrets(values)

    def command() -> tuple[Position, list[str]]:
        hook = load_hook(ledger, hook_id)
        condition(hook)
        sealed: list[SealedSecret] = []
        try:
            for name, value in values.items():
                sealed.append(vault.seal(hook_id, name, value))
            replaced = [hook.set_secret(secret) for secret in sealed]
            return ledger.record(hook), [key for key in replaced if key is not None]
        except BaseException:
            vault.destroy([secret.key_id for secret in sealed])
            raise

    position, replaced = ledger.attempt(meta, command)
    if replaced:
        vault.destroy(replaced)
    return position


def _require(hook: Hook, names: Iterable[str]) -> None:
    if missing := [name for name in names if name not in hook.secrets]:
        raise SecretNotFound(f"Hook `{hook.name}` has no secret {_listed(missing)}.")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
