"""Reconciling: a revision is applied whole, once, or refused whole; races are redone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from app.application.managing.manage_hooks import disable_hook, enable_hook
from app.application.managing.manage_secrets import remove_secret, set_secret
from app.application.syncing.results import SyncStatus
from app.domain.aggregates import Meta
from app.domain.documents.packages import PackageSet
from app.domain.errors import Conflict, NotFound, Problem, Rejected
from app.domain.outcomes import ScriptToCheck
from app.domain.sources.sync_policy import ForcePush, SyncPolicy

META = Meta(actor="test", origin="cli")


def test_a_commit_becomes_events_of_one_transaction(world: Any) -> None:
    commit = world.repository.commit(world.make_hook("a", enabled=True), world.make_hook("b"))
    result = world.run(world.reconciler.sync())
    assert (result.status, result.commit) == (SyncStatus.APPLIED, commit)
    assert sorted(world.topics()) == sorted(
        [
            "hook.created",
            "hook.created",
            "hook_name.created",
            "hook_name.created",
            "trigger.created",
            "trigger.hook_enabled",
            "sync_run.completed",
            "source.created",
            "source.revision_applied",
        ]
    )
    table = world.caught_up().table
    assert table.active_hook("pre-user-registration").name == "a"
    assert table.active_hook("pre-user-registration").commit == commit


def test_whoever_waits_is_told_how_far_it_has_come(world: Any) -> None:
    told: list[tuple[str, int]] = []
    reconciler = world.another_server(on_stage=lambda stage, count: told.append((stage, count)))
    world.repository.commit(world.make_hook("a", enabled=True), world.make_hook("b"))
    world.run(reconciler.sync())
    assert told == [("reading the commit", 0), ("checking scripts", 2), ("storing changes", 3)]


def test_applying_again_records_nothing(world: Any) -> None:
    world.repository.commit(world.make_hook("a", enabled=True))
    world.run(world.reconciler.sync())
    before = world.ledger.head()
    assert world.run(world.reconciler.sync()).status is SyncStatus.UNCHANGED
    assert world.ledger.head() == before


def test_a_commit_that_leaves_the_subtree_as_it_is_records_nothing(world: Any) -> None:
    world.repository.commit(world.make_hook("a"), tree="f" * 40)
    world.run(world.reconciler.sync())
    before = world.ledger.head()
    world.repository.commit(world.make_hook("a"), tree="f" * 40)
    assert world.run(world.reconciler.sync()).status is SyncStatus.UNCHANGED
    assert world.ledger.head() == before


def test_a_reader_is_asked_only_for_what_differs_from_the_applied_tree(world: Any) -> None:
    first = world.repository.commit(world.make_hook("a"))
    world.run(world.reconciler.sync())
    second = world.repository.commit(world.make_hook("a", "y"))
    world.run(world.reconciler.sync())
    applied_tree = world.repository.commits[first][0]
    assert world.repository.read == [(first, None), (second, applied_tree)]


def test_only_changed_scripts_are_checked(world: Any) -> None:
    world.repository.commit(world.make_hook("a"), world.make_hook("b"))
    world.run(world.reconciler.sync())
    world.runner.checked.clear()
    world.repository.commit(world.make_hook("a", timeout_ms=9), world.make_hook("b", "y"))
    world.run(world.reconciler.sync())
    assert world.runner.checked == ["hooks/pre-user-registration/b/hook.py"]


def test_a_refused_commit_changes_nothing_and_every_reason_is_in_the_history(world: Any) -> None:
    good = world.repository.commit(world.make_hook("a", enabled=True))
    world.run(world.reconciler.sync())
    asked = PackageSet.of("python", {"requests": "2.0.0"})
    reason = Problem("PyPI has no such version", key="dependencies.requests")
    world.packages.problems[asked] = [reason]
    world.runner.problems = (Problem("invalid syntax", "hooks/pre-user-registration/a/hook.py", 3),)
    bad = world.repository.commit(
        world.make_hook("a", "def", enabled=True),
        replace(world.make_hook("b", enabled=True), dependencies={"requests": "2.0.0"}),
    )
    with pytest.raises(Rejected) as refusal:
        world.run(world.reconciler.sync())
    assert {problem.key for problem in refusal.value.problems} == {
        "dependencies.requests",
        "enabled",
        None,
    }
    table = world.caught_up().table
    assert table.active_hook("pre-user-registration").commit == good
    source = table.sources["default"]
    assert (source.applied, source.rejected) == (good, bad)
    assert [problem["file"] for problem in source.problems][-2:] == [
        "hooks_repo/hooks/pre-user-registration/a/hook.py",
        "hooks_repo/hooks/pre-user-registration/b/hook.toml",
    ]


def test_the_same_refusal_is_recorded_once(world: Any) -> None:
    sha = world.repository.commit(world.make_hook("a"))
    world.repository.problems[sha] = (Problem("bad", "hooks/a/hook.toml", 1, "k"),)
    for _ in range(2):
        with pytest.raises(Rejected):
            world.run(world.reconciler.sync())
    assert world.topics() == ["source.created", "source.revision_rejected"]


def test_going_back_to_an_older_commit_is_applied_again(world: Any) -> None:
    first = world.repository.commit(world.make_hook("a", "1", enabled=True))
    world.run(world.reconciler.sync())
    world.repository.commit(world.make_hook("a", "2", enabled=True))
    world.run(world.reconciler.sync())
    world.repository.head = first
    anything_goes = world.another_server(SyncPolicy(on_force_push=ForcePush.ALLOW))
    assert world.run(anything_goes.sync()).status is SyncStatus.APPLIED
    assert world.caught_up().table.find_hook("a").script == "1"
    assert world.topics().count("sync_run.repeated") == 1


def test_two_servers_that_apply_one_commit_record_it_once(world: Any) -> None:
    world.repository.commit(world.make_hook("a", enabled=True))
    both_have_read = threading.Barrier(2)
    real = world.repository.desired

    def read(commit: Any, since: Any) -> Any:
        found = real(commit, since)
        if len(world.repository.read) <= both_have_read.parties:
            both_have_read.wait(10)
        return found

    world.repository.desired = read
    with ThreadPoolExecutor(2) as servers:
        runs = [servers.submit(world.run, world.another_server().sync()) for _ in range(2)]
    assert sorted(run.result().status for run in runs) == ["applied", "unchanged"]
    assert world.topics().count("hook.created") == 1
    assert world.topics().count("source.revision_applied") == 1


def test_an_event_between_plan_and_apply_makes_it_plan_again(world: Any) -> None:
    world.repository.commit(world.make_hook("a", enabled=True))
    world.run(world.reconciler.sync())
    hook_id = world.caught_up().table.find_hook("a").id
    world.repository.commit(world.make_hook("a", enabled=True, order=2))
    real = world.runner.check
    done: list[Any] = []

    async def check(scripts: list[ScriptToCheck]) -> Any:
        if not done:
            done.append(disable_hook(world.ledger, hook_id, META))
        return await real(scripts)

    world.runner.check = check
    world.run(world.reconciler.sync())
    assert len(world.repository.read) == 3


def test_a_plan_changes_nothing(world: Any) -> None:
    sha = world.repository.commit(world.make_hook("a", enabled=True))
    planned = world.run(world.reconciler.plan(sha))
    assert [str(change.kind) for change in planned.changes] == ["create", "enable"]
    assert world.ledger.head() == 0
    with pytest.raises(NotFound):
        world.run(world.reconciler.plan("nowhere"))


def test_retiring_a_hook_destroys_its_secrets(world: Any) -> None:
    world.repository.commit(world.make_hook("a", enabled=True))
    world.run(world.reconciler.sync())
    hook_id = world.caught_up().table.find_hook("a").id
    set_secret(world.ledger, world.vault, hook_id, "KEY", "value", META)
    assert list(world.vault.values.values()) == ["value"]
    world.repository.commit(world.make_hook("b"))
    world.run(world.reconciler.sync())
    assert world.vault.values == {}
    assert world.caught_up().table.find_hook("a") is None


def test_replacing_and_removing_a_secret_destroys_the_former_key(world: Any) -> None:
    world.repository.commit(world.make_hook("a"))
    world.run(world.reconciler.sync())
    hook_id = world.caught_up().table.find_hook("a").id
    set_secret(world.ledger, world.vault, hook_id, "KEY", "one", META)
    set_secret(world.ledger, world.vault, hook_id, "KEY", "two", META)
    assert list(world.vault.values.values()) == ["two"]
    remove_secret(world.ledger, world.vault, hook_id, "KEY", META)
    assert world.vault.values == {}
    with pytest.raises(NotFound):
        remove_secret(world.ledger, world.vault, hook_id, "KEY", META)


def test_a_secret_that_cannot_be_recorded_leaves_no_key_behind(world: Any) -> None:
    with pytest.raises(NotFound):
        set_secret(world.ledger, world.vault, "nowhere", "KEY", "value", META)
    with pytest.raises(Rejected):
        set_secret(world.ledger, world.vault, "nowhere", "-bad", "value", META)
    assert world.vault.values == {}


def test_a_hook_is_disabled_by_hand_and_enabled_again(world: Any) -> None:
    world.repository.commit(world.make_hook("a", enabled=True), world.make_hook("b"))
    world.run(world.reconciler.sync())
    table = world.caught_up().table
    a, b = table.find_hook("a").id, table.find_hook("b").id
    disable_hook(world.ledger, a, META)
    disable_hook(world.ledger, a, META)
    row = world.caught_up().table.find_hook("a")
    assert (row.enabled, row.break_glass) == (False, True)
    enable_hook(world.ledger, a, META)
    row = world.caught_up().table.find_hook("a")
    assert (row.enabled, row.break_glass) == (True, False)
    with pytest.raises(Conflict, match=r"hooks/pre-user-registration/b/hook\.toml"):
        enable_hook(world.ledger, b, META)
    assert world.topics().count("trigger.hook_disabled") == 1


# Workers started ahead


def test_what_a_commit_enables_is_expected_under_the_key_it_will_have(world: Any) -> None:
    world.repository.commit(world.make_hook("a", "one", enabled=True), world.make_hook("b"))
    world.run(world.reconciler.sync())
    row = world.caught_up().table.active_hook("pre-user-registration")
    assert [version.key for version in world.runner.expected] == [row.version_key]
    set_secret(world.ledger, world.vault, row.id, "KEY", "value", META)
    world.caught_up()
    world.repository.commit(world.make_hook("a", "two", enabled=True), world.make_hook("b", "two"))
    world.run(world.reconciler.sync())
    (changed,) = world.runner.expected[1:]
    row = world.caught_up().table.active_hook("pre-user-registration")
    assert (changed.key, changed.hook_id, changed.script) == (row.version_key, row.id, "two")
    assert changed.open_secrets() == {"KEY": "value"}


def test_an_enabled_hook_that_a_commit_disables_is_not_expected(world: Any) -> None:
    world.repository.commit(world.make_hook("a", enabled=True))
    world.run(world.reconciler.sync())
    world.runner.expected.clear()
    world.repository.commit(world.make_hook("a", "other", enabled=False))
    world.run(world.reconciler.sync())
    assert world.runner.expected == []


def test_a_hook_that_was_disabled_by_hand_is_not_expected_when_it_only_moves(world: Any) -> None:
    hook = world.make_hook("a", enabled=True)
    world.repository.commit(hook)
    world.run(world.reconciler.sync())
    row = world.caught_up().table.active_hook("pre-user-registration")
    disable_hook(world.ledger, row.id, META)
    world.caught_up()
    world.runner.expected.clear()
    world.repository.commit(replace(hook, path="hooks/pre-user-registration/moved"))
    world.run(world.reconciler.sync())
    assert world.runner.expected == []


def test_nothing_of_a_refused_commit_is_started(world: Any) -> None:
    world.runner.problems = [Problem("The script is not valid Python.", file="hook.py")]
    world.repository.commit(world.make_hook("a", enabled=True))
    with pytest.raises(Rejected):
        world.run(world.reconciler.sync())
    assert world.runner.expected == []
