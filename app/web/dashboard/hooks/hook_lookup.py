"""The hook that an address names, by name or id."""

from __future__ import annotations

from app.application.views import HookRow
from app.domain.hooks.hook import API_OWNER, HookNotFound
from app.web.dashboard.frame.pages import Visit


def hook_of(visit: Visit) -> HookRow:
    """Return the hook; raise ``HookNotFound``."""
    named = visit.path["hook"]
    found = visit.table.find_hook(named)
    if found is None:
        raise HookNotFound(f"There is no hook `{named}` now. It may have been renamed or deleted.")
    return found


def is_ours(hook: HookRow) -> bool:
    """Tell whether the hook is changed here, rather than by a commit."""
    return hook.owner == API_OWNER


def lacking(hook: HookRow) -> list[str]:
    """Return the secrets that a hook requires and does not have."""
    required = hook.settings.get("required_secrets", ())
    return [name for name in required if name not in hook.secrets]
