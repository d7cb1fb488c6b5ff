"""From a row of the hook table, or from a plan that will make one, to what a worker runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.application.invoking.extension_secret import EXTENSION_SECRET
from app.application.invoking.install_packages import packages_of
from app.application.ports import Packages, Vault
from app.application.views import ActiveTable, HookRow
from app.domain.documents.processes import lifecycle_of, limits_of
from app.domain.errors import Stalled
from app.domain.hooks.secrets import SealedSecret
from app.domain.outcomes import HookVersion
from app.domain.plans.plan import ChangeKind, DesiredHook, Plan
from app.domain.revisions import version_key
from app.domain.triggers.catalogue import parameters_of
from app.masking.masks import Mask, mask_for


class Versions:
    """Makes each version once, so that the hot path only looks it up."""

    def __init__(self, vault: Vault, packages: Packages) -> None:
        self._vault = vault
        self._packages = packages
        self._made: dict[str, HookVersion] = {}
        self._masks: dict[str, Mask] = {}

    def of(self, hook: HookRow) -> HookVersion:
        """Return the version that runs this row; raise ``Stalled`` if it lacks its packages."""
        known = self._made.get(hook.version_key)
        if known is None:
            known = self._made[hook.version_key] = _version(
                hook.version_key, hook, hook.id, hook.secrets, self._vault, self._packages
            )
        return known

    def mask_of(self, hook: HookRow) -> Mask:
        """Return what hides the row's secrets in a text."""
        known = self._masks.get(hook.version_key)
        if known is None:
            values = self.of(hook).open_secrets().values()
            known = self._masks[hook.version_key] = mask_for(values)
        return known

    def can_run(self, hook: HookRow) -> bool:
        """Tell whether the packages of this row are installed."""
        return not hook.dependencies or self._packages.folder(packages_of(hook)) is not None

    def keep(self, hooks: Iterable[HookRow]) -> None:
        """Forget every version but those of ``hooks``."""
        wanted = {hook.version_key for hook in hooks}
        for key in self._made.keys() - wanted:
            del self._made[key]
            self._masks.pop(key, None)


def versions_to_come(
    plan: Plan,
    created: Mapping[str, str],
    table: ActiveTable,
    vault: Vault,
    packages: Packages,
) -> list[HookVersion]:
    """Return what will run, of the hooks that ``plan`` changes, once it is applied to ``table``.

    ``created`` holds the ids of the hooks that the plan creates, by name.
    """
    enabled = {change.name for change in plan.changes if change.kind is ChangeKind.ENABLE}
    coming: dict[str, HookVersion] = {}
    for change in plan.changes:
        hook_id = change.hook_id or created.get(change.name, "")
        row = table.hooks.get(hook_id)
        stays = change.kind is ChangeKind.UPDATE and row is not None and row.enabled
        wanted = change.desired
        if wanted is None or any(wanted.secrets.values() if wanted.secrets else ()):
            continue  # new secrets make another version, which only the applied plan can name
        if wanted.enabled and (change.name in enabled or stays):
            secrets = row.secrets if row is not None else {}
            key_ids = {name: secret.key_id for name, secret in secrets.items()}
            key = version_key(hook_id, wanted.digest, key_ids)
            coming[key] = _version(key, wanted, hook_id, secrets, vault, packages)
    return list(coming.values())


def _version(
    key: str,
    hook: HookRow | DesiredHook,
    hook_id: str,
    secrets: Mapping[str, SealedSecret],
    vault: Vault,
    packages: Packages,
) -> HookVersion:
    folder = packages.folder(packages_of(hook)) if hook.dependencies else None
    if hook.dependencies and folder is None:
        raise Stalled(
            f"The packages of hook `{hook.name}` are not installed on this server. It goes on "
            "trying; its log says what hinders it (packages_refused)."
        )

    def open_secrets() -> Mapping[str, str]:
        return {
            secret.name: vault.open(hook_id, secret)
            for secret in secrets.values()
            if secret.name != EXTENSION_SECRET
        }

    return HookVersion(
        key=key,
        hook_id=hook_id,
        name=hook.name,
        trigger=hook.trigger,
        language=hook.language,
        script=hook.script,
        parameters=parameters_of(hook.trigger),
        open_secrets=open_secrets,
        network=tuple(hook.settings["network"]),
        packages=folder,
        limits=limits_of(hook.settings),
        lifecycle=lifecycle_of(hook.settings),
    )
