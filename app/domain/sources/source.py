"""The Source aggregate: a followed repository, what of it is in force, and what is held back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, ClassVar

from eventsourcing.domain import event

from app.domain.aggregates import Root
from app.domain.errors import Conflict, Problem
from app.domain.plans.plan import Plan
from app.domain.sources.guards import Hold
from app.domain.sources.skipped_commits import skipped_after


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

    class PlanHeld(Root.Event):
        """A commit is in order, but guards keep it from being applied by itself."""

        TOPIC: ClassVar[str] = "source.plan_held"
        commit: str
        branch: str
        plan_digest: str
        counts: dict[str, int]
        changes: list[dict[str, Any]]
        holds: list[dict[str, Any]]

    class PlanApproved(Root.Event):
        """A person wants exactly this plan applied, whatever holds it; another tip voids that."""

        TOPIC: ClassVar[str] = "source.plan_approved"
        commit: str
        plan_digest: str

    class Suspended(Root.Event):
        """Nothing is applied by itself until ``until`` (None: until somebody resumes)."""

        TOPIC: ClassVar[str] = "source.suspended"
        until: datetime | None

    class Resumed(Root.Event):
        """The branch's tip is followed again."""

        TOPIC: ClassVar[str] = "source.resumed"

    class RolledBack(Root.Event):
        """A formerly applied commit is in force again; those ``skipped`` are kept out."""

        TOPIC: ClassVar[str] = "source.rolled_back"
        commit: str
        tree: str
        branch: str
        previous: str | None
        skipped: list[str]
        plan_digest: str
        counts: dict[str, int]

    class DriftHealed(Root.Event):
        """What had come to differ from the applied commit says again what that commit says."""

        TOPIC: ClassVar[str] = "source.drift_healed"
        commit: str
        plan_digest: str
        counts: dict[str, int]
        changes: list[dict[str, Any]]

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
        self.applied_plan: str | None = None
        self.rejected: str | None = None
        self.rejected_problems: list[dict[str, Any]] = []
        self.held: tuple[str, str, list[dict[str, Any]]] | None = None
        """Commit, digest of the plan, and what holds it."""
        self.approved: str | None = None
        """Digest of a plan."""
        self.suspended = False
        self.suspended_until: datetime | None = None
        self.skipped: list[str] = []

    @property
    def is_settled(self) -> bool:
        """Whether the newest commit was neither refused nor held."""
        return self.rejected is None and self.held is None

    def apply_revision(
        self, *, commit: str, tree: str, branch: str, plan_digest: str, counts: dict[str, int]
    ) -> None:
        in_force = (self.applied, self.tree, self.branch)
        if (commit, tree, branch) == in_force and self.is_settled:
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

    def hold_plan(self, plan: Plan, *, branch: str, holds: tuple[Hold, ...]) -> None:
        """Record what holds a plan; the same hold twice is recorded once."""
        listed = [hold.described() for hold in holds]
        if (plan.commit, plan.digest, listed) != self.held:
            self._plan_held(
                commit=plan.commit,
                branch=branch,
                plan_digest=plan.digest,
                counts=plan.counts,
                changes=[change.described() for change in plan.changes],
                holds=listed,
            )

    def approve_plan(self, plan_digest: str) -> None:
        """Let the held plan be applied; raise ``Conflict`` unless it is exactly this one.

        What was approved already, and applied since, is left as it is.
        """
        if plan_digest in (self.approved, self.applied_plan if self.held is None else None):
            return
        if self.held is None:
            raise Conflict("No plan is held, so there is nothing to approve.")
        commit, held, _ = self.held
        if plan_digest != held:
            raise Conflict(
                f"The plan that is held now is {held}, of commit {commit[:12]}; another commit or "
                "another change took the place of the one you name. Look at it, and approve it."
            )
        self._plan_approved(commit=commit, plan_digest=plan_digest)

    def suspend(self, until: datetime | None) -> None:
        if not self.suspended or until != self.suspended_until:
            self._suspended(until=until)

    def resume(self) -> None:
        if self.suspended:
            self._resumed()

    def roll_back(self, plan: Plan, *, branch: str, skipped: list[str]) -> None:
        """Put a formerly applied commit in force; ``skipped`` are the ones to keep out."""
        new = [commit for commit in skipped if commit not in self.skipped]
        if plan.commit == self.applied and self.is_settled and not new:
            return
        self._rolled_back(
            commit=plan.commit,
            tree=plan.tree,
            branch=branch,
            previous=self.applied,
            skipped=skipped,
            plan_digest=plan.digest,
            counts=plan.counts,
        )

    def heal_drift(self, plan: Plan) -> None:
        self._drift_healed(
            commit=plan.commit,
            plan_digest=plan.digest,
            counts=plan.counts,
            changes=[change.described() for change in plan.changes],
        )

    @event(RevisionApplied)
    def _revision_applied(
        self,
        commit: str,
        tree: str,
        branch: str,
        previous: str | None,  # noqa: ARG002 (kept for readers of the log)
        plan_digest: str,
        counts: dict[str, int],  # noqa: ARG002
    ) -> None:
        self.applied, self.tree, self.branch = commit, tree, branch
        self._settle(plan_digest)

    @event(RevisionRejected)
    def _revision_rejected(self, commit: str, branch: str, problems: list[dict[str, Any]]) -> None:  # noqa: ARG002
        self.rejected, self.rejected_problems = commit, problems
        self.held, self.approved = None, None

    @event(PlanHeld)
    def _plan_held(
        self,
        commit: str,
        branch: str,  # noqa: ARG002
        plan_digest: str,
        counts: dict[str, int],  # noqa: ARG002
        changes: list[dict[str, Any]],  # noqa: ARG002
        holds: list[dict[str, Any]],
    ) -> None:
        self.held = (commit, plan_digest, holds)
        self.rejected, self.rejected_problems = None, []
        if self.approved != plan_digest:
            self.approved = None

    @event(PlanApproved)
    def _plan_approved(self, commit: str, plan_digest: str) -> None:  # noqa: ARG002
        self.approved = plan_digest

    @event(Suspended)
    def _suspended(self, until: datetime | None) -> None:
        self.suspended, self.suspended_until = True, until

    @event(Resumed)
    def _resumed(self) -> None:
        self.suspended, self.suspended_until = False, None

    @event(RolledBack)
    def _rolled_back(
        self,
        commit: str,
        tree: str,
        branch: str,
        previous: str | None,  # noqa: ARG002
        skipped: list[str],
        plan_digest: str,
        counts: dict[str, int],  # noqa: ARG002
    ) -> None:
        self.applied, self.tree, self.branch = commit, tree, branch
        self.skipped = skipped_after(self.skipped, commit, skipped)
        self._settle(plan_digest)

    @event(DriftHealed)
    def _drift_healed(
        self,
        commit: str,
        plan_digest: str,
        counts: dict[str, int],
        changes: list[dict[str, Any]],
    ) -> None:
        """Change nothing of the source: its commit is the same as before."""

    def _settle(self, plan_digest: str) -> None:
        self.applied_plan = plan_digest
        self.rejected, self.rejected_problems = None, []
        self.held, self.approved = None, None
