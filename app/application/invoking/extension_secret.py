"""Auth0's ``auth0-extension-secret``: a secret of a hook that lets its holder invoke the trigger.

Source: auth0-ext-compilers 6, ``lib/authorization.js``. The hook itself never sees it.
"""

from __future__ import annotations

import hmac

from app.application.ports import Vault
from app.application.views import ActiveTable, HookRow

EXTENSION_SECRET = "auth0-extension-secret"  # noqa: S105 (a name, not a value)

UNAUTHORIZED = {"message": "Unauthorized extensibility point", "statusCode": 500}
"""What an invocation without it answered."""


def may_invoke(table: ActiveTable, vault: Vault, trigger: str, token: str) -> str | None:
    """Return the caller's name if ``token`` is the secret of a hook that answers ``trigger``."""
    for hook in table.active_hooks(trigger):
        if is_extension_secret(vault, hook, token):
            return f"hook:{hook.id}"
    return None


def is_extension_secret(vault: Vault, hook: HookRow, token: str) -> bool:
    """Tell whether ``token`` is the hook's extension secret; False if it has none."""
    sealed = hook.secrets.get(EXTENSION_SECRET)
    if sealed is None:
        return False
    return hmac.compare_digest(vault.open(hook.id, sealed).encode(), token.encode())
