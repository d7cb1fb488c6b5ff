"""Ask the guards whether a plan may be applied by itself."""

from __future__ import annotations

from app.application.ports import Clock
from app.application.syncing.decide_revision import Decision
from app.application.syncing.results import SourceSettings, same_place
from app.application.syncing.source_reader import SourceReader
from app.application.views import SourceRow
from app.domain.errors import Problem, Rejected, Stalled
from app.domain.revisions import CommitSha
from app.domain.sources.guards import Hold, holds_of
from app.domain.sources.sync_policy import ForcePush


class PlanGuard:
    """The stage between a decision and its application."""

    def __init__(self, source: SourceSettings, repository: SourceReader, clock: Clock) -> None:
        self._source = source
        self._repository = repository
        self._clock = clock

    async def holds(self, decision: Decision, applied: SourceRow | None) -> tuple[Hold, ...]:
        """Return what holds the plan; raise ``Rejected`` for history that may not be rewritten."""
        planned, policy = decision.plan, self._source.policy
        if not planned.changes:
            return ()
        forced = await self._is_forced(planned.commit, applied)
        if forced and policy.on_force_push is ForcePush.REJECT:
            problem = Problem(
                "it does not come after the commit that is in force, and this source refuses "
                "rewritten history; commit on top of that one"
            )
            raise Rejected(f"Commit {planned.commit[:12]} is refused.", problems=[problem])
        return holds_of(
            planned,
            decision.owned,
            policy,
            owned=decision.count_owned,
            forced=forced,
            now=self._clock(),
        )

    async def _is_forced(self, commit: CommitSha, applied: SourceRow | None) -> bool:
        """Tell whether the branch was rewritten: another place or branch is another history."""
        if (
            self._source.policy.on_force_push is ForcePush.ALLOW
            or applied is None
            or applied.applied is None
            or not same_place(self._source, applied)
            or applied.branch != self._source.branch
        ):
            return False
        old = CommitSha(applied.applied)
        try:
            return not await self._repository.is_ancestor(old, commit)
        except Stalled:  # the applied commit is gone, or the history is cut before it
            return True
