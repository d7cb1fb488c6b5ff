"""The Trigger aggregate: it owns which hooks are enabled, and in which order.

Because enablement is a fact of the trigger, "at most one enabled" needs no check across hooks: the
second of two racing changes has the wrong version and is refused by the store.
"""

from __future__ import annotations

from typing import ClassVar

from eventsourcing.domain import event

from app.domain.aggregates import Root


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
        """A hook no longer answers; ``break_glass``: an operator stopped it against git."""

        TOPIC: ClassVar[str] = "trigger.hook_disabled"
        hook_id: str
        break_glass: bool

    class OrderChanged(Root.Event):
        """An enabled hook has another place in the order."""

        TOPIC: ClassVar[str] = "trigger.order_changed"
        hook_id: str
        order: int

    @staticmethod
    def create_id(trigger: str) -> str:
        return f"trigger:{trigger}"

    @event(Created)
    def __init__(self, trigger: str) -> None:
        self.trigger = trigger
        self.enabled: dict[str, int] = {}

    def enable(self, hook_id: str, order: int = 0) -> None:
        """Enable ``hook_id`` (a ULID), switching off whatever was enabled, in one event."""
        if hook_id not in self.enabled:
            self._hook_enabled(hook_id=hook_id, order=order, replaced=sorted(self.enabled))
        elif self.enabled[hook_id] != order:
            self._order_changed(hook_id=hook_id, order=order)

    def disable(self, hook_id: str, *, break_glass: bool = False) -> None:
        if hook_id in self.enabled:
            self._hook_disabled(hook_id=hook_id, break_glass=break_glass)

    @event(HookEnabled)
    def _hook_enabled(self, hook_id: str, order: int, replaced: list[str]) -> None:
        for other in replaced:
            self.enabled.pop(other)
        self.enabled[hook_id] = order

    @event(HookDisabled)
    def _hook_disabled(self, hook_id: str, break_glass: bool) -> None:  # noqa: ARG002
        self.enabled.pop(hook_id)

    @event(OrderChanged)
    def _order_changed(self, hook_id: str, order: int) -> None:
        self.enabled[hook_id] = order
