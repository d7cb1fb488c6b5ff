"""Sealed files of a revision in, changes of secrets out: only where a value is another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from app.application.ports import Vault
from app.application.views import ActiveTable, HookRow
from app.domain.errors import Problem, Rejected
from app.domain.hooks.secrets import MAX_SECRETS_PER_HOOK, SealedSecret
from app.domain.manifests.sealed_files import SEALED_FILE, parts_of, values_of
from app.domain.plans.plan import ChangeKind, DesiredHook, DesiredState, Plan
from app.domain.plans.secret_changes import PURPOSE, SecretChange, SecretChangeKind


class SealedFiles(Protocol):
    """Reads what was sealed to this server. Blocking, but fast (a fraction of a millisecond)."""

    @property
    def recipient(self) -> str:
        """To whom new values are sealed."""
        ...

    def open(self, sealed: bytes) -> bytes:
        """Decrypt; raise ``Rejected`` for what was altered, or sealed for another server."""
        ...

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether it is sealed to ``recipient`` and not to a former one."""
        ...

    def holds(self, hook_id: str, secret: SealedSecret, value: str) -> bool:
        """Tell whether a stored secret has this value."""
        ...


class SealedSecrets:
    """The use case. A name that a file does not have, or no longer has, is left as it is."""

    def __init__(self, vault: Vault, files: SealedFiles) -> None:
        self._vault = vault
        self._files = files

    def added(
        self, desired: DesiredState, planned: Plan, table: ActiveTable
    ) -> tuple[Plan, Sequence[Problem]]:
        """Add to a plan what sealed files change, or say what is wrong with them."""
        try:
            return replace(planned, secrets=self.changes(desired, planned, table)), ()
        except Rejected as refusal:
            return planned, refusal.problems

    def changes(
        self, desired: DesiredState, planned: Plan, table: ActiveTable
    ) -> tuple[SecretChange, ...]:
        """Say which secrets get another value; raise ``Rejected`` with every bad file."""
        created = {change.name for change in planned.changes if change.kind is ChangeKind.CREATE}
        changes: list[SecretChange] = []
        problems: list[Problem] = []
        for hook in desired.hooks:
            if hook.sealed is None:
                continue
            row = None if hook.name in created else table.find_hook(hook.name)
            try:
                changes += self._of_hook(hook, self._values(hook, hook.sealed), row)
            except Rejected as refusal:
                problems += refusal.problems
        if problems:
            raise Rejected("Sealed secrets cannot be used.", problems=problems)
        return tuple(changes)

    def _values(self, hook: DesiredHook, sealed: bytes) -> Mapping[str, str]:
        file = f"{hook.path}/{SEALED_FILE}"
        values: dict[str, str] = {}
        for part in parts_of(file, sealed):
            try:
                plain = self._files.open(part)
            except Rejected as refusal:
                problem = Problem(
                    f"{refusal.message} Seal it anew with `hookledger secrets seal`", file=file
                )
                raise Rejected(refusal.message, problems=[problem]) from None
            values |= values_of(file, hook.name, plain)
        return values

    def _of_hook(
        self, hook: DesiredHook, values: Mapping[str, str], row: HookRow | None
    ) -> Iterator[SecretChange]:
        known = row.secrets if row is not None else {}
        if len(known.keys() | values.keys()) > MAX_SECRETS_PER_HOOK:
            message = f"the hook would have more than {MAX_SECRETS_PER_HOOK} secrets"
            problem = Problem(message, file=f"{hook.path}/{SEALED_FILE}")
            raise Rejected("There are too many secrets.", problems=[problem])
        for name, value in values.items():
            stored = known.get(name)
            if row and stored and self._files.holds(row.id, stored, value):
                continue
            yield SecretChange(
                hook=hook.name,
                hook_id=row.id if row is not None else None,
                name=name,
                kind=SecretChangeKind.SET,
                sealed=self._vault.protect(PURPOSE, value.encode()),
            )
