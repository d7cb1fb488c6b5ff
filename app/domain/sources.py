"""The Source aggregate (a followed repository) and its sync runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from eventsourcing.domain import event

from app.domain.aggregates import Root
from app.domain.errors import Problem


class Source(Root):
    """A git repository, branch and path that owns the hooks found there."""

    TOPIC = "source"

    class Created(Root.Created):
        """The server began to follow a repository."""

        TOPIC: ClassVar[str] = "source.created"
        source: str
        location: str
        branch: str
        path: str

    class RevisionApplied(Root.Event):
        """Everything this commit says is in force, in the same transaction as this event."""

        TOPIC: ClassVar[str] = "source.revision_applied"
        commit: str
        tree: str
        branch: str
        previous: str | None
        plan_digest: str
        counts: dict[str, int]

    class RevisionRejected(Root.Event):
        """A commit was refused whole; the last applied one stays in force."""

        TOPIC: ClassVar[str] = "source.revision_rejected"
        commit: str
        branch: str
        problems: list[dict[str, Any]]

    @staticmethod
    def create_id(source: str) -> str:
        return f"source:{source}"

    @event(Created)
    def __init__(self, source: str, location: str, branch: str, path: str) -> None:
        self.source = source
        self.location = location
        self.branch = branch
        self.path = path
        self.applied: str | None = None
        self.tree: str | None = None
        self.rejected: str | None = None
        self.rejected_problems: list[dict[str, Any]] = []

    def apply_revision(
        self, *, commit: str, tree: str, branch: str, plan_digest: str, counts: dict[str, int]
    ) -> None:
        in_force = (self.applied, self.tree, self.branch)
        if (commit, tree, branch) == in_force and self.rejected is None:
            return
        self._revision_applied(
            commit=commit,
            tree=tree,
            branch=branch,
            previous=self.applied,
            plan_digest=plan_digest,
            counts=counts,
        )

    def reject_revision(self, *, commit: str, branch: str, problems: tuple[Problem, ...]) -> None:
        """Record why a commit was refused; the same refusal twice is recorded once."""
        listed = [asdict(problem) for problem in problems]
        if (commit, listed) != (self.rejected, self.rejected_problems):
            self._revision_rejected(commit=commit, branch=branch, problems=listed)

    @event(RevisionApplied)
    def _revision_applied(
        self,
        commit: str,
        tree: str,
        branch: str,
        previous: str | None,  # noqa: ARG002 (kept for readers of the log)
        plan_digest: str,  # noqa: ARG002
        counts: dict[str, int],  # noqa: ARG002
    ) -> None:
        self.applied, self.tree, self.branch = commit, tree, branch
        self.rejected, self.rejected_problems = None, []

    @event(RevisionRejected)
    def _revision_rejected(self, commit: str, branch: str, problems: list[dict[str, Any]]) -> None:  # noqa: ARG002
        self.rejected, self.rejected_problems = commit, problems


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
