"""Drift: found by comparing, told, healed unless held; what people did is left until its time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.application.managing.manage_hooks import disable_hook, enable_hook
from app.application.managing.write_hooks import create_hook
from app.application.syncing.due_moments import due_moments
from app.application.syncing.results import SourceSettings
from app.application.syncing.suspend_source import suspend_source
from app.domain.aggregates import Meta, recorded_as
from app.domain.errors import Rejected, Stalled
from app.domain.hooks.hook import Hook
from app.domain.manifests.drafts import HookDraft
from app.domain.sources.sync_policy import Approval, SyncPolicy
from app.domain.triggers.trigger import Trigger

META = Meta(actor="cli:ada", origin="cli", reason="it misbehaves")
SOURCE = SourceSettings("default", "/repository", "main", "hooks_repo")
PRE = "pre-user-registration"


@pytest.fixture
def hook_id(world: Any) -> str:
    world.repository.commit(world.make_hook("a", enabled=True), world.make_hook("b"))
    world.run(world.reconciler.sync())
    found: str = world.caught_up().table.find_hook("a").id
    return found


def lose(world: Any, hook_id: str) -> None:
    """Disable a hook as no command of ours would: neither git nor a person wanted it."""
    with recorded_as(Meta(actor="nobody", origin="system")):
        trigger = world.ledger.find(Trigger, Trigger.create_id(PRE))
        trigger.disable(hook_id)
        world.ledger.record(trigger)
    world.caught_up()


def test_a_table_that_is_as_the_commit_says_has_no_drift(world: Any, hook_id: str) -> None:
    before = world.ledger.head()
    drift = world.run(world.reconciler.compare())
    assert (drift.changes, drift.error, drift.is_there) == ((), None, False)
    assert world.ledger.head() == before


def test_drift_is_healed_and_recorded_with_what_changed(world: Any, hook_id: str) -> None:
    lose(world, hook_id)
    drift = world.run(world.reconciler.compare())
    assert ([str(c.kind) for c in drift.changes], drift.healed) == (["enable"], True)
    assert world.caught_up().table.find_hook("a").enabled
    assert world.topics()[-1] == "source.drift_healed"
    assert world.run(world.reconciler.compare()).changes == ()


def test_drift_is_only_told_where_nobody_wants_it_healed(world: Any, hook_id: str) -> None:
    lose(world, hook_id)
    drift = world.run(world.another_server(SyncPolicy(heal=False)).compare())
    assert drift.is_there
    assert not world.caught_up().table.find_hook("a").enabled


def test_manual_approval_is_about_commits_not_about_what_was_applied(
    world: Any, hook_id: str
) -> None:
    lose(world, hook_id)
    manual = SyncPolicy(approval=Approval.MANUAL)
    assert world.run(world.another_server(manual).compare()).healed


def test_a_suspended_source_is_compared_but_not_healed(world: Any, hook_id: str) -> None:
    lose(world, hook_id)
    suspend_source(world.ledger, SOURCE, META, until=None, now=world.clock())
    world.caught_up()
    assert world.run(world.reconciler.compare()).is_there


def test_healing_never_retires_more_than_a_commit_may(world: Any, hook_id: str) -> None:
    with recorded_as(Meta(actor="nobody", origin="system")):
        for number in range(9):
            made = Hook.create(
                f"01JX{number:022d}",
                name=f"stray-{number}",
                trigger=PRE,
                owner="source:default",
                path=f"hooks/{PRE}/stray-{number}",
                language="python",
                script="x",
                dependencies={},
                settings=dict(world.make_hook("a").settings),
                digest="d",
            )
            world.ledger.record(made)
    world.caught_up()
    drift = world.run(world.reconciler.compare())
    assert [str(hold.guard) for hold in drift.holds] == ["deletions"]
    assert drift.is_there
    assert len(world.caught_up().table.hooks) == 11


def test_what_a_person_disabled_is_left_until_its_time(world: Any, hook_id: str) -> None:
    until = world.clock() + timedelta(hours=2)
    disable_hook(world.ledger, hook_id, META, until)
    row = world.caught_up().table.find_hook("a")
    assert (row.override.actor, row.override.reason) == ("cli:ada", "it misbehaves")
    assert due_moments(SOURCE, world.hooks.table) == [until]
    assert world.run(world.reconciler.compare()).changes == ()
    world.clock.pass_by(hours=2)
    assert world.run(world.reconciler.compare()).healed
    row = world.caught_up().table.find_hook("a")
    assert (row.enabled, row.break_glass, row.override) == (True, False, None)


def test_an_override_ends_at_its_time_even_where_drift_is_not_healed(
    world: Any, hook_id: str
) -> None:
    disable_hook(world.ledger, hook_id, META, world.clock() + timedelta(hours=2))
    world.caught_up()
    world.clock.pass_by(hours=3)
    assert world.run(world.another_server(SyncPolicy(heal=False)).compare()).healed
    assert world.caught_up().table.find_hook("a").enabled


def test_a_hook_that_somebody_elses_replaced_is_an_override_not_drift(
    world: Any, hook_id: str
) -> None:
    draft = HookDraft(name="theirs", trigger=PRE, script="x", dependencies={}, enabled=True)
    made = create_hook(world.ledger, "01J" + "Z" * 23, draft, META)
    world.caught_up()
    row = world.hooks.table.hooks[hook_id]
    assert (row.enabled, row.break_glass, row.override.actor) == (False, True, "cli:ada")
    assert world.run(world.reconciler.compare()).changes == ()
    assert made.id in world.hooks.table.triggers[PRE].hooks
    enable_hook(world.ledger, hook_id, META)
    assert world.caught_up().table.hooks[hook_id].override is None


def test_only_a_hook_of_git_comes_back_by_itself(world: Any) -> None:
    draft = HookDraft(name="theirs", trigger=PRE, script="x", dependencies={}, enabled=True)
    made = create_hook(world.ledger, "01J" + "Z" * 23, draft, META)
    with pytest.raises(Rejected, match="does not come from git"):
        disable_hook(world.ledger, made.id, META, world.clock() + timedelta(hours=1))
    assert world.caught_up().table.hooks[made.id].enabled


def test_a_comparison_that_fails_says_why_and_raises_nothing(world: Any, hook_id: str) -> None:
    def gone(*_: Any) -> Any:
        raise Stalled("The repository lacks the applied commit.")

    world.repository.desired = gone
    drift = world.run(world.reconciler.compare())
    assert drift.error == "The repository lacks the applied commit."


def test_before_the_first_commit_there_is_nothing_to_compare(world: Any) -> None:
    assert world.run(world.reconciler.compare()).commit is None
