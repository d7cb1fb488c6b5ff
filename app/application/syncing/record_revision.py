"""Write to the ledger what became of a commit: all of it in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from app.application.ledger import Ledger
from app.application.ports import Vault
from app.application.syncing.apply_plan import PlanApplication, settle_keys
from app.application.syncing.decide_revision import Decision
from app.application.syncing.results import SourceSettings
from app.application.syncing.revisions import revision_meta
from app.domain.aggregates import Meta
from app.domain.errors import HookledgerError, Problem, Stalled
from app.domain.plans.plan import Plan
from app.domain.revisions import CommitSha, Position
from app.domain.sources.guards import Hold
from app.domain.sources.source import Source
from app.domain.sources.sync_runs import SyncRun

_TABLE_DIFFERS = (
    "The hook table differs from the events it is made of; run `hookledger rebuild`, and look for "
    "who writes to the database beside this server."
)


class RevisionRecorder:
    """The stage that changes things; blocking, so call it from a thread."""

    def __init__(self, source: SourceSettings, ledger: Ledger, vault: Vault) -> None:
        self._source = source
        self._ledger = ledger
        self._vault = vault

    def apply(self, decision: Decision, created: Mapping[str, str]) -> Position | None:
        """Record a revision; None if the ledger moved on since it was decided.

        ``created`` are the ids of the hooks that the plan creates, by name.
        """
        planned = decision.plan

        def tell(source: Source) -> None:
            source.apply_revision(
                commit=planned.commit,
                tree=planned.tree,
                branch=self._source.branch,
                plan_digest=planned.digest,
                counts=planned.counts,
            )

        meta = revision_meta(self._source.id, decision.desired)
        return self._put_in_force(decision, created, meta, tell, self._run_of)

    def roll_back(
        self, decision: Decision, created: Mapping[str, str], skipped: list[str], by: Meta
    ) -> Position | None:
        """Record a rollback, as done by a person; otherwise as ``apply``."""

        def tell(source: Source) -> None:
            source.roll_back(decision.plan, branch=self._source.branch, skipped=skipped)

        meta = replace(by, commit=revision_meta(self._source.id, decision.desired).commit)
        return self._put_in_force(decision, created, meta, tell, self._run_of)

    def heal(self, decision: Decision, created: Mapping[str, str]) -> Position | None:
        """Record that drift was set right; otherwise as ``apply``.

        Raises ``Stalled`` when there is nothing to record: then it is the table that is wrong.
        """

        def tell(source: Source) -> None:
            source.heal_drift(decision.plan)

        meta = Meta(self._source.owner, "git", decision.plan.commit, reason="heal drift")
        meta = replace(meta, commit=revision_meta(self._source.id, decision.desired).commit)
        return self._put_in_force(decision, created, meta, tell, None)

    def reject(self, commit: CommitSha, problems: tuple[Problem, ...]) -> Position:
        """Record why a commit is refused."""

        def tell(source: Source) -> None:
            source.reject_revision(commit=commit, branch=self._source.branch, problems=problems)

        meta = Meta(actor=self._source.owner, origin="git")
        return change_source(self._ledger, self._source, meta, tell)

    def hold(self, decision: Decision, holds: tuple[Hold, ...]) -> Position | None:
        """Record what holds a plan; None if the ledger moved on since it was decided."""

        def command() -> Position | None:
            source = load_source(self._ledger, self._source)
            source.hold_plan(decision.plan, branch=self._source.branch, holds=holds)
            if self._ledger.head() != decision.table.position:
                return None
            return self._ledger.record(source)

        return self._ledger.attempt(revision_meta(self._source.id, decision.desired), command)

    def _put_in_force(
        self,
        decision: Decision,
        created: Mapping[str, str],
        meta: Meta,
        tell: Callable[[Source], None],
        run_of: Callable[[Plan], SyncRun] | None,
    ) -> Position | None:
        """Record the plan's events with those that ``tell`` makes.

        The head is compared after loading, so what was loaded is what the plan was decided on;
        what changes between here and the save has another version and is refused by the store.
        """
        planned, seen = decision.plan, decision.table.position
        attempts: list[PlanApplication] = []

        def command() -> Position | None:
            work = PlanApplication(self._ledger, self._vault, created, self._source.owner)
            attempts.append(work)
            try:
                work.apply(planned)
            except HookledgerError:
                if self._ledger.head() != seen:
                    return None
                raise
            source = load_source(self._ledger, self._source)
            runs = [run_of(planned)] if run_of is not None else []
            if run_of is None and not any(each.pending_events for each in work.aggregates):
                raise Stalled(_TABLE_DIFFERS)
            tell(source)
            if self._ledger.head() != seen:
                return None
            return self._ledger.record(*work.aggregates, *runs, source)

        position = None
        try:
            position = self._ledger.attempt(meta, command)
        finally:
            settle_keys(self._vault, attempts, recorded=position is not None)
        return position

    def _run_of(self, planned: Plan) -> SyncRun:
        changes: list[dict[str, Any]] = [change.described() for change in planned.changes]
        changes += [{"kind": "secret"} | change.described() for change in planned.secrets]
        run = self._ledger.find(SyncRun, SyncRun.create_id(self._source.id, planned.commit))
        if run is None:
            return SyncRun(source=self._source.id, commit=planned.commit, changes=changes)
        run.repeat(changes)
        return run


def change_source(
    ledger: Ledger, settings: SourceSettings, meta: Meta, tell: Callable[[Source], None]
) -> Position:
    """Load the source, have ``tell`` change it, and record that; blocking."""

    def command() -> Position:
        source = load_source(ledger, settings)
        tell(source)
        return ledger.record(source)

    return ledger.attempt(meta, command)


def load_source(ledger: Ledger, settings: SourceSettings) -> Source:
    """Load the source as it is now, or begin it."""
    found = ledger.find(Source, Source.create_id(settings.id))
    if found is not None:
        return found
    return Source(
        source=settings.id,
        location=settings.location,
        branch=settings.branch,
        path=settings.path,
    )
