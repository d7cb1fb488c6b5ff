"""From a row of the hook table to what a worker runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.application.extension_secret import EXTENSION_SECRET
from app.application.ports import Vault
from app.application.views import HookRow
from app.domain.outcomes import HookVersion
from app.domain.processes import lifecycle_of, limits_of
from app.domain.trigger_catalogue import parameters_of


class Versions:
    """Makes each version once, so that the hot path only looks it up."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._made: dict[str, HookVersion] = {}

    def of(self, hook: HookRow) -> HookVersion:
        """Return the version that runs this row."""
        known = self._made.get(hook.version_key)
        if known is None:
            known = self._made[hook.version_key] = self._make(hook)
        return known

    def keep(self, hooks: Iterable[HookRow]) -> None:
        """Forget every version but those of ``hooks``."""
        wanted = {hook.version_key for hook in hooks}
        for key in self._made.keys() - wanted:
            del self._made[key]

    def _make(self, hook: HookRow) -> HookVersion:
        def open_secrets() -> Mapping[str, str]:
            return {
                secret.name: self._vault.open(hook.id, secret)
                for secret in hook.secrets.values()
                if secret.name != EXTENSION_SECRET
            }

        return HookVersion(
            key=hook.version_key,
            hook_id=hook.id,
            name=hook.name,
            trigger=hook.trigger,
            language=hook.language,
            script=hook.script,
            parameters=parameters_of(hook.trigger),
            open_secrets=open_secrets,
            network=tuple(hook.settings["network"]),
            limits=limits_of(hook.settings),
            lifecycle=lifecycle_of(hook.settings),
        )
