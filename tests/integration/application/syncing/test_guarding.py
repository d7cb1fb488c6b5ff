"""Guarding: what is held is recorded once, shown, approved by its digest, and voided by a new tip."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.application.managing.manage_hooks import disable_hook
from app.application.syncing.approve_plan import approve_plan
from app.application.syncing.results import SourceSettings, SyncStatus
from app.domain.aggregates import Meta
from app.domain.errors import Conflict, Rejected
from app.domain.sources.sync_policy import Approval, ForcePush, SyncPolicy
from app.domain.sources.sync_windows import SyncWindow

META = Meta(actor="cli:ada", origin="cli", reason="looked at it")
SOURCE = SourceSettings("default", "/repository", "main", "hooks_repo")
MANUAL = SyncPolicy(approval=Approval.MANUAL)


def applied(world: Any, *hooks: Any) -> str:
    commit: str = world.repository.commit(*hooks)
    assert world.run(world.reconciler.sync()).status is SyncStatus.APPLIED
    return commit


def held(world: Any) -> Any:
    return world.caught_up().table.sources["default"].held


def many(world: Any, count: int) -> list[Any]:
    return [world.make_hook(f"hook-{number}") for number in range(count)]


def test_a_commit_that_removes_every_hook_is_held_and_nothing_is_lost(world: Any) -> None:
    good = applied(world, world.make_hook("a", enabled=True))
    bad = world.repository.commit()
    assert world.run(world.reconciler.sync()).status is SyncStatus.HELD
    table = world.caught_up().table
    assert table.active_hook("pre-user-registration").commit == good
    source = table.sources["default"]
    assert (source.applied, source.held.commit) == (good, bad)
    assert [hold["guard"] for hold in source.held.holds] == ["empty"]
    assert [change["kind"] for change in source.held.changes] == ["retire"]


def test_more_deletions_than_a_share_are_held_until_approved(world: Any) -> None:
    hooks = many(world, 30)
    applied(world, *hooks)
    commit = world.repository.commit(*hooks[7:])
    result = world.run(world.reconciler.sync())
    assert result.status is SyncStatus.HELD
    assert "7 of 30 hooks; at most 6" in held(world).holds[0]["message"]
    approve_plan(world.ledger, SOURCE, result.plan.digest, META)
    assert held(world).approval.actor == "cli:ada"
    assert world.run(world.reconciler.sync()).status is SyncStatus.APPLIED
    table = world.caught_up().table
    assert (len(table.hooks), table.sources["default"].applied) == (23, commit)
    assert table.sources["default"].held is None


def test_the_same_hold_is_recorded_once(world: Any) -> None:
    applied(world, world.make_hook("a"))
    world.repository.commit()
    for _ in range(3):
        world.run(world.reconciler.sync())
    assert world.topics().count("source.plan_held") == 1


def test_a_hook_that_asks_for_confirmation_goes_only_with_one(world: Any) -> None:
    applied(world, world.make_hook("a", prune="confirm"), world.make_hook("b"))
    world.repository.commit(world.make_hook("b"))
    result = world.run(world.reconciler.sync())
    assert result.status is SyncStatus.HELD
    assert "`a`" in held(world).holds[0]["message"]
    approve_plan(world.ledger, SOURCE, result.plan.digest, META)
    world.run(world.reconciler.sync())
    assert world.caught_up().table.find_hook("a") is None


def test_a_hook_that_forbids_pruning_stays_and_runs(world: Any) -> None:
    applied(world, world.make_hook("a", prune=False, enabled=True), world.make_hook("b"))
    world.repository.commit(world.make_hook("b"))
    assert world.run(world.reconciler.sync()).status is SyncStatus.APPLIED
    assert world.caught_up().table.find_hook("a").enabled


def test_rewritten_history_is_held_by_default(world: Any) -> None:
    applied(world, world.make_hook("a", "1"))
    applied(world, world.make_hook("a", "2"))
    world.repository.commit(world.make_hook("a", "3"))
    world.repository.rewritten = True
    assert world.run(world.reconciler.sync()).status is SyncStatus.HELD
    assert held(world).holds[0]["guard"] == "force-push"
    assert world.caught_up().table.find_hook("a").script == "2"


def test_rewritten_history_may_be_refused_for_good(world: Any) -> None:
    good = applied(world, world.make_hook("a", "1"))
    world.repository.commit(world.make_hook("a", "2"))
    world.repository.rewritten = True
    strict = world.another_server(SyncPolicy(on_force_push=ForcePush.REJECT))
    with pytest.raises(Rejected, match="rewritten history"):
        world.run(strict.sync())
    row = world.caught_up().table.sources["default"]
    assert (row.applied, row.rejected) == (good, world.repository.head)


def test_a_new_tip_voids_the_approval(world: Any) -> None:
    server = world.another_server(MANUAL)
    world.repository.commit(world.make_hook("a", "1"))
    first = world.run(server.sync()).plan.digest
    approve_plan(world.ledger, SOURCE, first, META)
    world.repository.commit(world.make_hook("a", "2"))
    world.caught_up()
    second = world.run(server.sync())
    assert (second.status, held(world).approval) == (SyncStatus.HELD, None)
    assert world.caught_up().table.find_hook("a") is None
    with pytest.raises(Conflict, match=second.plan.digest):
        approve_plan(world.ledger, SOURCE, first, META)


def test_a_plan_that_changed_meanwhile_is_another_plan(world: Any) -> None:
    applied(world, world.make_hook("a", "1", enabled=True))
    server = world.another_server(MANUAL)
    world.repository.commit(world.make_hook("a", "2", enabled=True))
    digest = world.run(server.sync()).plan.digest
    hook_id = world.caught_up().table.find_hook("a").id
    disable_hook(world.ledger, hook_id, META)
    approve_plan(world.ledger, SOURCE, digest, META)
    world.caught_up()
    assert world.run(server.sync()).status is SyncStatus.HELD
    assert held(world).digest != digest


def test_approving_twice_or_after_it_was_applied_records_nothing(world: Any) -> None:
    server = world.another_server(MANUAL)
    world.repository.commit(world.make_hook("a"))
    digest = world.run(server.sync()).plan.digest
    approve_plan(world.ledger, SOURCE, digest, META)
    approve_plan(world.ledger, SOURCE, digest, META)
    world.caught_up()
    world.run(server.sync())
    before = world.ledger.head()
    assert approve_plan(world.ledger, SOURCE, digest, META) == before
    assert world.topics().count("source.plan_approved") == 1


def test_only_what_is_held_can_be_approved(world: Any) -> None:
    applied(world, world.make_hook("a"))
    with pytest.raises(Conflict, match="No plan is held"):
        approve_plan(world.ledger, SOURCE, "f" * 64, META)
    with pytest.raises(Rejected, match="64 hexadecimal digits"):
        approve_plan(world.ledger, SOURCE, "latest", META)


def test_an_approval_that_a_crash_cut_off_is_acted_on_at_the_next_start(world: Any) -> None:
    world.repository.commit(world.make_hook("a"))
    digest = world.run(world.another_server(MANUAL).sync()).plan.digest
    approve_plan(world.ledger, SOURCE, digest, META)
    world.caught_up()
    after_the_crash = world.another_server(MANUAL)
    assert world.run(after_the_crash.sync()).status is SyncStatus.APPLIED


def test_a_plan_that_another_server_applied_meanwhile_is_not_held_any_more(world: Any) -> None:
    server = world.another_server(MANUAL)
    commit = world.repository.commit(world.make_hook("a"))
    real = world.runner.check
    done: list[Any] = []

    async def check(scripts: Any) -> Any:
        if not done:
            done.append(True)
            await world.reconciler.sync()
        return await real(scripts)

    world.runner.check = check
    assert world.run(server.sync()).status is SyncStatus.UNCHANGED
    row = world.caught_up().table.sources["default"]
    assert (row.applied, row.held) == (commit, None)
    assert "source.plan_held" not in world.topics()


def test_a_closed_window_holds_and_an_open_one_lets_go_by_itself(world: Any) -> None:
    lunch = SyncWindow("deny", "0 12 * * *", timedelta(hours=1))
    server = world.another_server(SyncPolicy(windows=(lunch,)))
    world.repository.commit(world.make_hook("a"))
    assert world.run(server.sync()).status is SyncStatus.HELD
    assert held(world).holds[0]["until"] == "2026-11-23T13:00:00+00:00"
    world.clock.pass_by(hours=1)
    assert world.run(server.sync()).status is SyncStatus.APPLIED
    assert world.topics().count("source.plan_approved") == 0


def test_a_held_commit_that_is_taken_back_leaves_no_hold_behind(world: Any) -> None:
    good = applied(world, world.make_hook("a"))
    world.repository.commit()
    world.run(world.reconciler.sync())
    world.repository.head = good
    assert world.run(world.reconciler.sync()).status is SyncStatus.APPLIED
    row = world.caught_up().table.sources["default"]
    assert (row.held, row.applied) == (None, good)
    assert [revision.commit for revision in row.history] == [good]


def test_a_preview_tells_what_would_hold_it_and_touches_nothing(world: Any) -> None:
    applied(world, world.make_hook("a", "1", enabled=True, required_secrets=["KEY"]))
    before = world.ledger.head()
    changed = world.make_hook(
        "a", "2", enabled=True, required_secrets=["KEY"], network=["a.example:443"]
    )
    needy = replace(world.make_hook("b"), dependencies={"idna": "3.10"})
    world.repository.commit(changed, needy)
    preview = world.run(world.another_server(MANUAL).preview())
    assert [str(hold.guard) for hold in preview.holds] == ["approval"]
    assert [(diff.hook, diff.network_added) for diff in preview.diffs] == [
        ("b", ()),
        ("a", ("a.example:443",)),
    ]
    assert "-1\n+2\n" in preview.diffs[1].script
    assert [(each.hook, each.name) for each in preview.missing_secrets] == [("a", "KEY")]
    assert [(each.hook, each.name) for each in preview.to_install] == [("b", "idna")]
    assert (world.ledger.head(), world.packages.asked) == (before, [])


def test_a_pull_request_that_was_not_fetched_says_how_to_fetch_it(world: Any) -> None:
    with pytest.raises(Exception, match="git fetch origin refs/pull/7/head:refs/pull/7/head"):
        world.run(world.reconciler.plan("pull/7/head"))
