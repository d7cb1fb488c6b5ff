"""Set and remove secret values; nobody can read one back."""

from __future__ import annotations

from app.application.ledger import Ledger
from app.application.manage_hooks import load_hook
from app.application.ports import Vault
from app.domain.aggregates import Meta
from app.domain.revisions import Position
from app.domain.secrets import check_secret


def set_secret(
    ledger: Ledger, vault: Vault, hook_id: str, name: str, value: str, meta: Meta
) -> Position:
    """Seal a value and record it; the key of the value it replaces is destroyed.

    Raises ``Rejected`` for a bad name or value, ``NotFound`` for an unknown hook. The data key is
    stored before the event, and a replaced one destroyed after it: a crash in between leaves an
    orphaned key, never an unreadable secret.
    """
    check_secret(name, value)

    def command() -> tuple[Position, str | None]:
        hook = load_hook(ledger, hook_id)
        sealed = vault.seal(hook_id, name, value)
        try:
            replaced = hook.set_secret(sealed)
            return ledger.record(hook), replaced
        except BaseException:
            vault.destroy([sealed.key_id])
            raise

    position, replaced = ledger.attempt(meta, command)
    if replaced is not None:
        vault.destroy([replaced])
    return position


def remove_secret(ledger: Ledger, vault: Vault, hook_id: str, name: str, meta: Meta) -> Position:
    """Record the removal, then destroy the key; raise ``NotFound`` if there is no such secret."""

    def command() -> tuple[Position, str]:
        hook = load_hook(ledger, hook_id)
        key_id = hook.remove_secret(name)
        return ledger.record(hook), key_id

    position, key_id = ledger.attempt(meta, command)
    vault.destroy([key_id])
    return position
