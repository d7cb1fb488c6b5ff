"""Decide what a commit means: read it, plan it, and try everything that can be tried before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import anyio.to_thread

from app.application.invoking.install_packages import install_for
from app.application.invoking.run_fixtures import failing_fixtures
from app.application.ports import Clock, Packages, Runner, Vault
from app.application.syncing.progress import OnStage, SyncStage
from app.application.syncing.results import SourceSettings, same_place
from app.application.syncing.revisions import (
    active_triggers,
    compared_hooks,
    desired_contract,
    scripts_to_check,
)
from app.application.syncing.sealed_secrets import SealedSecrets
from app.application.syncing.source_reader import SourceReader
from app.application.syncing.source_secrets import with_changed_secrets
from app.application.views import ActiveTable
from app.domain.errors import Problem, Rejected
from app.domain.plans.plan import ActiveHook, DesiredState, Plan
from app.domain.plans.planning import plan
from app.domain.revisions import CommitSha, TreeSha


@dataclass(frozen=True, slots=True)
class Decision:
    """What a commit says, and what applying it would do to the table it was compared with."""

    desired: DesiredState
    plan: Plan
    table: ActiveTable
    owned: tuple[ActiveHook, ...]
    """The hooks of the source that were compared; the plan changes no others."""
    owner: str

    def count_owned(self) -> int:
        """Return how many hooks the source owns now; looks at all there are."""
        return sum(row.owner == self.owner for row in self.table.hooks.values())


class RevisionDecider:
    """The stage that touches nothing but the cache of packages."""

    def __init__(
        self,
        source: SourceSettings,
        repository: SourceReader,
        runner: Runner,
        packages: Packages,
        vault: Vault,
        secrets: SealedSecrets,
        clock: Clock,
        new_id: Callable[[], str],
        on_stage: OnStage,
    ) -> None:
        self._source = source
        self._repository = repository
        self._runner = runner
        self._packages = packages
        self._vault = vault
        self._secrets = secrets
        self._clock = clock
        self._new_id = new_id
        self._on_stage = on_stage

    async def decide(
        self,
        commit: CommitSha,
        table: ActiveTable,
        since: TreeSha | None,
        *,
        install: bool,
        fixtures: bool = True,
    ) -> Decision:
        """Plan ``commit``; only what differs from the tree ``since`` is looked at, if given.

        ``install`` its packages and run its ``fixtures``: a commit that was in force has passed
        them, and must not fail to come back because a server elsewhere is down.
        Raises ``Rejected`` with every problem of every file, script, package and fixture.
        """
        # What comes back has been judged with all before it; it alone must still be trusted.
        verified = self._verified(table) if fixtures else None
        signer = await self._repository.verify(commit, verified)
        self._on_stage(SyncStage.READING, 0)
        desired = await self._repository.desired(commit, since)
        desired = with_changed_secrets(replace(desired, signer=signer), table, self._vault)
        decision, problems = self._plan(desired, table)
        if not problems:
            added = partial(self._secrets.added, decision.desired, decision.plan, table)
            planned, refused = await anyio.to_thread.run_sync(added)
            decision = replace(decision, plan=planned)
            problems += refused
        scripts = list(scripts_to_check(desired, table))
        self._on_stage(SyncStage.CHECKING, len(scripts))
        problems += await self._runner.check(scripts)
        if install:
            problems += await install_for(self._packages, desired.hooks)
        if fixtures and not problems:
            contract = partial(desired_contract, desired, table)
            problems += await failing_fixtures(
                self._runner, self._packages, desired.hooks, contract, self._new_id
            )
        self._refuse(commit, problems)
        return decision

    async def compare(self, commit: CommitSha, table: ActiveTable) -> Decision:
        """Plan a commit that is in force, whole: what it changes has come to differ since.

        Nothing is compiled or run again. Raises ``Rejected`` if it could not be applied today.
        """
        desired = await self._repository.desired(commit, None)
        desired = with_changed_secrets(desired, table, self._vault)
        decision, problems = self._plan(desired, table)
        self._refuse(commit, problems)
        return decision

    def _plan(self, desired: DesiredState, table: ActiveTable) -> tuple[Decision, list[Problem]]:
        owner = self._source.owner
        active = compared_hooks(desired, table, owner, self._clock())
        owned = tuple(hook for hook in active if hook.owner == owner)
        problems: list[Problem] = []
        try:
            planned = plan(desired, active, owner=owner, triggers=active_triggers(table))
        except Rejected as refusal:
            problems += refusal.problems
            planned = Plan(desired.commit, desired.tree, ())
        return Decision(desired, planned, table, owned, owner), problems

    def _verified(self, table: ActiveTable) -> CommitSha | None:
        """Return the commit up to which signatures were judged: the one that is in force."""
        row = table.sources.get(self._source.id)
        if row is None or row.applied is None or not same_place(self._source, row):
            return None
        return CommitSha(row.applied)

    def _refuse(self, commit: CommitSha, problems: Sequence[Problem]) -> None:
        if problems:
            raise Rejected(
                f"Commit {commit[:12]} is refused; what was in force before stays in force.",
                problems=[self._in_repository(problem) for problem in problems],
            )

    def _in_repository(self, problem: Problem) -> Problem:
        """Name files as the repository's root sees them."""
        if problem.file is None or not self._source.path:
            return problem
        if problem.file.startswith(f"{self._source.path}/"):
            return problem
        return replace(problem, file=f"{self._source.path}/{problem.file}")
