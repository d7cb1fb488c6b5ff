"""The Trigger aggregate: it owns its definition, which hooks are enabled, and in which order.

Because enablement is a fact of the trigger, "at most one enabled" needs no check across hooks: the
second of two racing changes has the wrong version and is refused by the store.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from eventsourcing.domain import event

from app.domain.aggregates import Root
from app.domain.errors import Conflict
from app.domain.triggers.definitions import TriggerDefinition


class Trigger(Root):
    """A named point at which another system asks for a hook to run."""

    TOPIC = "trigger"

    class Created(Root.Created):
        """The trigger was used for the first time."""

        TOPIC: ClassVar[str] = "trigger.created"
        trigger: str

    class HookEnabled(Root.Event):
        """A hook answers this trigger from here on, in place of the replaced ones."""

        TOPIC: ClassVar[str] = "trigger.hook_enabled"
        hook_id: str
        order: int
        replaced: list[str]

    class HookDisabled(Root.Event):
        """A hook no longer answers; ``break_glass``: an operator stopped it against git.

        That ends at ``until``; None: when the hook changes in git, or somebody enables it.
        """

        TOPIC: ClassVar[str] = "trigger.hook_disabled"
        hook_id: str
        break_glass: bool
        until: datetime | None = None

    class OrderChanged(Root.Event):
        """An enabled hook has another place in the order."""

        TOPIC: ClassVar[str] = "trigger.order_changed"
        hook_id: str
        order: int

    class Defined(Root.Event):
        """A repository says what the trigger is, or how it works."""

        TOPIC: ClassVar[str] = "trigger.defined"
        owner: str
        definition: dict[str, Any]

    class DefinitionRemoved(Root.Event):
        """The repository says nothing of it any more: a custom trigger is gone by that."""

        TOPIC: ClassVar[str] = "trigger.definition_removed"

    @staticmethod
    def create_id(trigger: str) -> str:
        return f"trigger:{trigger}"

    @event(Created)
    def __init__(self, trigger: str) -> None:
        self.trigger = trigger
        self.enabled: dict[str, int] = {}
        self.mode = "single"
        self.owner: str | None = None
        self.definition: dict[str, Any] | None = None

    def define(self, definition: TriggerDefinition, owner: str) -> None:
        """Take a definition; raise ``Conflict`` if it allows one hook and more are enabled."""
        members = definition.members
        if definition.mode == "single" and len(self.enabled) > 1:
            raise Conflict(
                f"Trigger `{self.trigger}` cannot run a single hook while "
                f"{len(self.enabled)} are enabled; disable all but one first."
            )
        if (self.definition, self.owner) != (members, owner):
            self._defined(owner=owner, definition=members)

    def remove_definition(self) -> None:
        """Go back to what the trigger is by itself; raise ``Conflict`` if more than one runs."""
        if len(self.enabled) > 1:
            raise Conflict(
                f"Trigger `{self.trigger}` would run a single hook again, but "
                f"{len(self.enabled)} are enabled; disable all but one first."
            )
        if self.definition is not None:
            self._definition_removed()

    def enable(self, hook_id: str, order: int = 0) -> None:
        """Enable ``hook_id`` (a ULID), beside the others in a chain, else in their place."""
        if hook_id not in self.enabled:
            replaced = [] if self.mode == "chain" else sorted(self.enabled)
            self._hook_enabled(hook_id=hook_id, order=order, replaced=replaced)
        elif self.enabled[hook_id] != order:
            self._order_changed(hook_id=hook_id, order=order)

    def disable(
        self, hook_id: str, *, break_glass: bool = False, until: datetime | None = None
    ) -> None:
        if hook_id in self.enabled:
            self._hook_disabled(hook_id=hook_id, break_glass=break_glass, until=until)

    @event(HookEnabled)
    def _hook_enabled(self, hook_id: str, order: int, replaced: list[str]) -> None:
        for other in replaced:
            self.enabled.pop(other)
        self.enabled[hook_id] = order

    @event(HookDisabled)
    def _hook_disabled(
        self,
        hook_id: str,
        break_glass: bool,  # noqa: ARG002 (kept for readers of the log)
        until: datetime | None = None,  # noqa: ARG002
    ) -> None:
        self.enabled.pop(hook_id)

    @event(OrderChanged)
    def _order_changed(self, hook_id: str, order: int) -> None:
        self.enabled[hook_id] = order

    @event(Defined)
    def _defined(self, owner: str, definition: dict[str, Any]) -> None:
        self.owner = owner
        self.definition = definition
        self.mode = definition.get("mode", "single")

    @event(DefinitionRemoved)
    def _definition_removed(self) -> None:
        self.owner = None
        self.definition = None
        self.mode = "single"
