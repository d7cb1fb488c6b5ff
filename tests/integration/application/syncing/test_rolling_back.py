"""Suspending and rolling back: done once, whole, with a reason; the branch is followed on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.application.syncing.results import SourceSettings, SyncStatus
from app.application.syncing.suspend_source import resume_source, suspend_source
from app.domain.aggregates import Meta
from app.domain.errors import Conflict, NotFound, Problem, Rejected, Stalled

META = Meta(actor="client:01J", origin="api", reason="it loses registrations")
SOURCE = SourceSettings("default", "/repository", "main", "hooks_repo")
PRE = "pre-user-registration"


def applied(world: Any, *hooks: Any) -> str:
    commit: str = world.repository.commit(*hooks)
    assert world.run(world.reconciler.sync()).status is SyncStatus.APPLIED
    return commit


def row(world: Any) -> Any:
    return world.caught_up().table.sources["default"]


def test_a_rollback_puts_the_former_commit_in_force_and_skips_the_bad_one(world: Any) -> None:
    good = applied(world, world.make_hook("a", "good", enabled=True))
    bad = applied(world, world.make_hook("a", "bad", enabled=True), world.make_hook("b"))
    result = world.run(world.reconciler.roll_back(good, META))
    assert (result.status, result.commit) == (SyncStatus.APPLIED, good)
    table = world.caught_up().table
    assert table.active_hook(PRE).script == "good"
    assert table.find_hook("b") is None
    source = row(world)
    assert (source.applied, source.skipped) == (good, (bad,))
    assert source.rollback.act.actor == "client:01J"
    assert source.rollback.act.reason == "it loses registrations"
    assert world.run(world.reconciler.sync()).status is SyncStatus.SKIPPED
    assert world.caught_up().table.active_hook(PRE).script == "good"


def test_the_next_new_commit_is_applied_as_always(world: Any) -> None:
    good = applied(world, world.make_hook("a", "good", enabled=True))
    applied(world, world.make_hook("a", "bad", enabled=True))
    world.run(world.reconciler.roll_back(good, META))
    mended = applied(world, world.make_hook("a", "mended", enabled=True))
    source = row(world)
    assert (source.applied, source.rollback) == (mended, None)
    assert world.caught_up().table.active_hook(PRE).script == "mended"


def test_rolling_back_twice_records_nothing(world: Any) -> None:
    good = applied(world, world.make_hook("a", "good"))
    applied(world, world.make_hook("a", "bad"))
    world.run(world.reconciler.roll_back(good, META))
    before = world.ledger.head()
    assert world.run(world.reconciler.roll_back(good, META)).status is SyncStatus.UNCHANGED
    assert world.ledger.head() == before


def test_a_tip_that_was_never_applied_is_skipped_too(world: Any) -> None:
    good = applied(world, world.make_hook("a", "good"))
    bad = applied(world, world.make_hook("a", "bad"))
    worse = world.repository.commit(world.make_hook("a", "worse"))
    world.run(world.reconciler.roll_back(good, META))
    assert set(row(world).skipped) == {bad, worse}


def test_going_forward_again_skips_nothing(world: Any) -> None:
    good = applied(world, world.make_hook("a", "good"))
    bad = applied(world, world.make_hook("a", "not so bad"))
    world.run(world.reconciler.roll_back(good, META))
    world.run(world.reconciler.roll_back(bad, META))
    assert (row(world).applied, row(world).skipped) == (bad, ())
    assert world.run(world.reconciler.sync()).status is SyncStatus.UNCHANGED


def test_a_rollback_works_without_a_branch_and_while_suspended(world: Any) -> None:
    good = applied(world, world.make_hook("a", "good"))
    applied(world, world.make_hook("a", "bad"))
    suspend_source(world.ledger, SOURCE, META, until=None, now=world.clock())

    def gone() -> Any:
        raise Stalled("There is no branch `main`.")

    world.repository.tip = gone
    world.run(world.reconciler.roll_back(good, META))
    assert world.caught_up().table.find_hook("a").script == "good"


def test_only_what_was_in_force_can_be_gone_back_to(world: Any) -> None:
    good = applied(world, world.make_hook("a", "good"))
    never = world.repository.commit(world.make_hook("a", "never"))
    with pytest.raises(Conflict, match=good[:12]):
        world.run(world.reconciler.roll_back(never, META))
    with pytest.raises(NotFound):
        world.run(world.reconciler.roll_back("nowhere", META))
    with pytest.raises(Rejected, match="say why"):
        world.run(world.reconciler.roll_back(good, Meta(actor="x", origin="cli")))
    assert row(world).skipped == ()


def test_a_commit_that_cannot_run_any_more_is_not_gone_back_to(world: Any) -> None:
    good = applied(world, world.make_hook("a", "good"))
    bad = applied(world, world.make_hook("a", "bad"))
    world.runner.problems = [Problem("this Python knows no such syntax", "hook.py", 1)]
    with pytest.raises(Rejected):
        world.run(world.reconciler.roll_back(good, META))
    assert (row(world).applied, row(world).skipped) == (bad, ())


def test_a_rollback_that_a_crash_cuts_off_leaves_nothing_half_done(world: Any) -> None:
    good = applied(world, world.make_hook("a", "good"), world.make_hook("b", "good"))
    bad = applied(world, world.make_hook("a", "bad"), world.make_hook("b", "bad"))
    before = world.ledger.head()

    def crash(*_: Any) -> Any:
        raise KeyboardInterrupt

    real, world.ledger.record = world.ledger.record, crash
    with pytest.raises(KeyboardInterrupt):
        world.run(world.reconciler.roll_back(good, META))
    world.ledger.record = real
    assert world.ledger.head() == before
    assert row(world).applied == bad
    assert {hook.script for hook in world.caught_up().table.hooks.values()} == {"bad"}


def test_a_rollback_is_no_break_glass_of_the_hooks_it_replaces(world: Any) -> None:
    good = applied(world, world.make_hook("a", enabled=True), world.make_hook("b"))
    applied(world, world.make_hook("a"), world.make_hook("b", enabled=True))
    world.run(world.reconciler.roll_back(good, META))
    hooks = world.caught_up().table.hooks.values()
    assert [hook.name for hook in hooks if hook.break_glass] == []


def test_a_suspended_source_applies_nothing_until_it_is_resumed(world: Any) -> None:
    good = applied(world, world.make_hook("a", "1"))
    suspend_source(world.ledger, SOURCE, META, until=None, now=world.clock())
    suspend_source(world.ledger, SOURCE, META, until=None, now=world.clock())
    world.repository.commit(world.make_hook("a", "2"))
    world.caught_up()
    assert world.run(world.reconciler.sync()).status is SyncStatus.SUSPENDED
    assert row(world).applied == good
    resume_source(world.ledger, SOURCE, META)
    resume_source(world.ledger, SOURCE, META)
    world.caught_up()
    assert world.run(world.reconciler.sync()).status is SyncStatus.APPLIED
    assert world.topics().count("source.suspended") == 1
    assert world.topics().count("source.resumed") == 1


def test_a_suspension_ends_at_its_time_and_the_history_says_so(world: Any) -> None:
    applied(world, world.make_hook("a", "1"))
    until = world.clock() + timedelta(hours=1)
    suspend_source(world.ledger, SOURCE, META, until=until, now=world.clock())
    commit = world.repository.commit(world.make_hook("a", "2"))
    world.caught_up()
    assert world.run(world.reconciler.sync()).status is SyncStatus.SUSPENDED
    world.clock.pass_by(hours=1)
    assert world.run(world.reconciler.sync()).status is SyncStatus.APPLIED
    assert (row(world).applied, row(world).suspension) == (commit, None)
    assert "source.resumed" in world.topics()


def test_a_suspension_needs_a_reason_and_a_time_to_come(world: Any) -> None:
    past = world.clock() - timedelta(minutes=1)
    nobody = Meta(actor="x", origin="cli")
    with pytest.raises(Rejected) as refusal:
        suspend_source(world.ledger, SOURCE, nobody, until=past, now=world.clock())
    assert {problem.key for problem in refusal.value.problems} == {"reason", "until"}
    assert world.ledger.head() == 0
