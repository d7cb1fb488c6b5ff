"""Turn a plan into events: every aggregate it touches, loaded once, changed, and saved as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from app.application.ledger import Ledger
from app.application.ports import Vault
from app.domain.aggregates import Root
from app.domain.errors import NotFound
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName
from app.domain.outcomes import Language
from app.domain.plans.plan import Change, ChangeKind, DesiredHook, Plan
from app.domain.plans.secret_changes import PURPOSE, SecretChange, SecretChangeKind
from app.domain.triggers.trigger import Trigger

A = TypeVar("A", bound=Root)


class PlanApplication:
    """One transaction's work on aggregates: ``apply`` changes, then read the two lists."""

    def __init__(
        self, ledger: Ledger, vault: Vault, created: Mapping[str, str], owner: str
    ) -> None:
        """Begin; ``created`` are the ids of the hooks that the plan creates, by name."""
        self._ledger = ledger
        self._vault = vault
        self._created = created
        self._owner = owner
        self._loaded: dict[str, Root] = {}
        self.sealed_keys: list[str] = []
        """Data keys of new secrets; to be destroyed if the transaction is not stored."""
        self.destroyed_keys: list[str] = []
        """Data keys that lost their secret; to be destroyed once the transaction is stored."""

    @property
    def aggregates(self) -> tuple[Root, ...]:
        """Everything that was touched, for one ``Ledger.record``."""
        return tuple(self._loaded.values())

    def apply(self, plan: Plan) -> None:
        """Make the events of every change, in the plan's order."""
        steps = {
            ChangeKind.RETIRE: self._retire,
            ChangeKind.DISABLE: self._disable,
            ChangeKind.UNDEFINE: self._undefine,
            ChangeKind.DEFINE: self._define,
            ChangeKind.CREATE: self._create,
            ChangeKind.UPDATE: self._update,
            ChangeKind.ENABLE: self._enable,
        }
        for change in plan.changes:
            steps[change.kind](change)
        for secret in plan.secrets:
            self._change_secret(secret)

    def _change_secret(self, change: SecretChange) -> None:
        hook_id = change.hook_id or self._created[change.hook]
        hook = self._existing(hook_id, change.hook)
        if change.kind is SecretChangeKind.REMOVED:
            self.destroyed_keys.append(hook.remove_secret(change.name))
            return
        self._set_secret(hook, change.name, self._vault.reveal(PURPOSE, change.sealed).decode())

    def _retire(self, change: Change) -> None:
        hook = self._hook(change)
        self.destroyed_keys += hook.secrets.values()
        self._trigger(change.trigger).disable(hook.public_id)
        name = self._load(HookName, HookName.create_id(hook.name))
        if name is not None:
            name.release(hook.public_id)
        hook.delete()

    def _disable(self, change: Change) -> None:
        self._trigger(change.trigger).disable(self._hook(change).public_id)

    def _undefine(self, change: Change) -> None:
        self._trigger(change.trigger).remove_definition()

    def _define(self, change: Change) -> None:
        if change.definition is None:
            raise AssertionError("a change that defines a trigger carries the definition")
        self._trigger(change.trigger).define(change.definition, self._owner)

    def _create(self, change: Change) -> None:
        wanted = _desired(change)
        hook_id = self._created[change.name]
        self._reserve(change.name, hook_id)
        hook = Hook.create(
            hook_id,
            name=wanted.name,
            trigger=wanted.trigger,
            owner=self._owner,
            path=wanted.path,
            language=wanted.language,
            script=wanted.script,
            dependencies=dict(wanted.dependencies),
            settings=dict(wanted.settings),
            digest=wanted.digest,
        )
        self._change_secrets(self._keep(hook), wanted.secrets)

    def _update(self, change: Change) -> None:
        wanted = _desired(change)
        hook = self._hook(change)
        language: Language = wanted.language
        hook.change_script(language, wanted.script, wanted.digest)
        hook.change_dependencies(dict(wanted.dependencies), wanted.digest)
        hook.change_settings(dict(wanted.settings), wanted.digest)
        hook.move(wanted.path)
        self._change_secrets(hook, wanted.secrets)

    def _change_secrets(self, hook: Hook, wanted: Mapping[str, str | None] | None) -> None:
        if wanted is None:
            return
        for name in sorted(hook.secrets.keys() - wanted.keys()):
            self.destroyed_keys.append(hook.remove_secret(name))
        for name, value in sorted(wanted.items()):
            if value is not None:
                self._set_secret(hook, name, value)

    def _set_secret(self, hook: Hook, name: str, value: str) -> None:
        sealed = self._vault.seal(hook.public_id, name, value)
        self.sealed_keys.append(sealed.key_id)
        if (replaced := hook.set_secret(sealed)) is not None:
            self.destroyed_keys.append(replaced)

    def _enable(self, change: Change) -> None:
        hook_id = change.hook_id or self._created[change.name]
        self._trigger(change.trigger).enable(hook_id, _desired(change).settings["order"])

    def _reserve(self, name: str, hook_id: str) -> None:
        held = self._load(HookName, HookName.create_id(name))
        if held is None:
            self._keep(HookName(name=name, hook_id=hook_id))
        else:
            held.reserve(hook_id)

    def _hook(self, change: Change) -> Hook:
        return self._existing(change.hook_id or "", change.name)

    def _existing(self, hook_id: str, name: str) -> Hook:
        found = self._load(Hook, Hook.create_id(hook_id))
        if found is None:
            raise NotFound(f"There is no hook `{name}` ({hook_id}).")
        return found

    def _trigger(self, trigger: str) -> Trigger:
        found = self._load(Trigger, Trigger.create_id(trigger))
        return found if found is not None else self._keep(Trigger(trigger=trigger))

    def _load(self, kind: type[A], aggregate_id: str) -> A | None:
        known = self._loaded.get(aggregate_id)
        if isinstance(known, kind):
            return known
        found = self._ledger.find(kind, aggregate_id)
        return self._keep(found) if found is not None else None

    def _keep(self, aggregate: A) -> A:
        self._loaded[aggregate.id] = aggregate
        return aggregate


def settle_keys(vault: Vault, works: Sequence[PlanApplication], *, recorded: bool) -> None:
    """Destroy the keys of what is no secret any more, or never became one.

    ``works`` are the attempts at one transaction; ``recorded`` tells whether the last was stored.
    """
    unused = [key for work in works for key in work.sealed_keys]
    if recorded:
        unused = [key for work in works[:-1] for key in work.sealed_keys]
        unused += works[-1].destroyed_keys
    if unused:
        vault.destroy(unused)


def _desired(change: Change) -> DesiredHook:
    if change.desired is None:
        raise AssertionError(f"a {change.kind} carries the desired hook")
    return change.desired
