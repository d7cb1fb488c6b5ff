"""The source as a state machine: whatever happens in whatever order, its rules hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.domain.aggregates import Meta, recorded_as
from app.domain.errors import Conflict, Problem
from app.domain.plans.plan import Plan
from app.domain.revisions import CommitSha, TreeSha
from app.domain.sources.guards import Guard, Hold
from app.domain.sources.skipped_commits import MAX_SKIPPED, skipped_after
from app.domain.sources.source import Source

META = Meta(actor="ada", origin="cli", reason="because")
HOLD = Hold(Guard.APPROVAL, "every plan waits")
COMMITS = st.integers(1, 5).map(lambda number: f"{number:040x}")
UNTIL = st.none() | st.just(datetime(2026, 12, 24, tzinfo=UTC))


def plan_of(commit: str) -> Plan:
    return Plan(CommitSha(commit), TreeSha(commit[::-1]), ())


class SourceMachine(RuleBasedStateMachine):
    """Commands in any order; each is given twice, as a lost answer makes callers do."""

    def __init__(self) -> None:
        super().__init__()
        with recorded_as(META):
            self.source = Source(source="main", location="/srv/x", branch="main", path="")

    def twice(self, command: Any) -> None:
        with recorded_as(META):
            command()
            before = len(self.source.pending_events)
            command()
        assert len(self.source.pending_events) == before

    @rule(commit=COMMITS)
    def apply(self, commit: str) -> None:
        planned = plan_of(commit)
        self.twice(
            lambda: self.source.apply_revision(
                commit=commit,
                tree=planned.tree,
                branch="main",
                plan_digest=planned.digest,
                counts={},
            )
        )
        assert (self.source.applied, self.source.is_settled) == (commit, True)

    @rule(commit=COMMITS)
    def reject(self, commit: str) -> None:
        problems = (Problem("no"),)
        in_force = self.source.applied
        self.twice(
            lambda: self.source.reject_revision(commit=commit, branch="main", problems=problems)
        )
        assert (self.source.rejected, self.source.applied) == (commit, in_force)

    @rule(commit=COMMITS)
    def hold(self, commit: str) -> None:
        in_force = self.source.applied
        self.twice(lambda: self.source.hold_plan(plan_of(commit), branch="main", holds=(HOLD,)))
        assert self.source.applied == in_force

    @precondition(lambda self: self.source.held is not None)
    @rule()
    def approve(self) -> None:
        digest = self.source.held[1]  # type: ignore[index]
        self.twice(lambda: self.source.approve_plan(digest))
        assert self.source.approved == digest

    @rule(commit=COMMITS)
    def approve_another(self, commit: str) -> None:
        digest, source = plan_of(commit).digest, self.source
        known = (source.approved, source.applied_plan, source.held and source.held[1])
        if digest not in known:
            with recorded_as(META), pytest.raises(Conflict):
                source.approve_plan(digest)

    @rule(until=UNTIL)
    def suspend(self, until: datetime | None) -> None:
        self.twice(lambda: self.source.suspend(until))
        assert (self.source.suspended, self.source.suspended_until) == (True, until)

    @rule()
    def resume(self) -> None:
        self.twice(self.source.resume)
        assert not self.source.suspended

    @rule(commit=COMMITS, tip=COMMITS)
    def roll_back(self, commit: str, tip: str) -> None:
        left = sorted({tip, self.source.applied or commit} - {commit})
        self.twice(lambda: self.source.roll_back(plan_of(commit), branch="main", skipped=left))
        assert self.source.applied == commit
        assert set(left) <= set(self.source.skipped)

    @invariant()
    def only_what_is_held_is_approved(self) -> None:
        if self.source.approved is not None:
            assert self.source.held is not None
            assert self.source.held[1] == self.source.approved

    @invariant()
    def a_commit_is_not_both_held_and_refused(self) -> None:
        assert self.source.held is None or self.source.rejected is None

    @invariant()
    def its_events_alone_say_how_it_is(self) -> None:
        copy: Any = None
        for event in self.source.pending_events:
            copy = event.mutate(copy)
        assert vars(copy) | {"_pending_events": 0} == vars(self.source) | {"_pending_events": 0}


SourceMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestSourceMachine = SourceMachine.TestCase


def test_a_commit_that_is_wanted_again_is_skipped_no_more() -> None:
    assert skipped_after(["a", "b"], "b", ["c"]) == ["a", "c"]


def test_only_the_newest_bad_commits_are_remembered() -> None:
    many = [str(number) for number in range(MAX_SKIPPED)]
    assert skipped_after(many, "x", ["y"]) == [*many[1:], "y"]
