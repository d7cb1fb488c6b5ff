"""The SyncRun aggregate: that a commit was applied, and what it changed."""

from __future__ import annotations

from typing import Any, ClassVar

from eventsourcing.domain import event

from app.domain.aggregates import Root


class SyncRun(Root):
    """One commit's application: its id makes a second replica or a retry record nothing.

    A branch may come back to a commit it had left (force-push, revert by reset); that is a further
    run of the same aggregate, guarded by the version of its ``Source``.
    """

    TOPIC = "sync_run"

    class Created(Root.Created):
        """The commit was applied for the first time."""

        TOPIC: ClassVar[str] = "sync_run.completed"
        source: str
        commit: str
        changes: list[dict[str, Any]]

    class Repeated(Root.Event):
        """The commit was applied again after another had been in between."""

        TOPIC: ClassVar[str] = "sync_run.repeated"
        changes: list[dict[str, Any]]

    @staticmethod
    def create_id(source: str, commit: str) -> str:
        return f"sync:{source}@{commit}"

    @event(Created)
    def __init__(self, source: str, commit: str, changes: list[dict[str, Any]]) -> None:
        self.source = source
        self.commit = commit
        self.changes = changes

    def repeat(self, changes: list[dict[str, Any]]) -> None:
        self._repeated(changes=changes)

    @event(Repeated)
    def _repeated(self, changes: list[dict[str, Any]]) -> None:
        self.changes = changes
