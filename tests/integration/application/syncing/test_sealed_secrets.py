"""Secrets that come with a commit: stored when they differ, and only for the hook they are for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from app.application.managing.manage_secrets import set_secret
from app.application.syncing.results import SyncStatus
from app.domain.aggregates import Meta
from app.domain.errors import Conflict, Rejected
from app.vault.age import seal_to

META = Meta(actor="test", origin="cli")


def sealed(world: Any, hook: str = "a", **values: str) -> bytes:
    return seal_to(world.age.recipient, json.dumps({"hook": hook, "secrets": values}).encode())


def commit(world: Any, *parts: bytes, script: str = "x", name: str = "a", **settings: Any) -> str:
    hook = world.make_hook(name, script, **settings)
    return str(world.repository.commit(replace(hook, sealed=b"\n".join(parts) if parts else None)))


def values(world: Any, name: str = "a") -> dict[str, str]:
    row = world.caught_up().table.find_hook(name)
    return {key: world.vault.open(row.id, secret) for key, secret in row.secrets.items()}


def test_a_new_hook_has_its_secrets_in_the_same_transaction(world: Any) -> None:
    made = commit(world, sealed(world, KEY="s3cr3t", OTHER="two"), enabled=True)
    result = world.run(world.reconciler.sync())
    assert values(world) == {"KEY": "s3cr3t", "OTHER": "two"}
    facts = [fact for fact in world.log.select(0, 100) if fact.topic == "hook.secret_set"]
    assert {fact.event.meta["commit"] for fact in facts} == {made}
    described = [change.described() for change in result.plan.secrets]
    assert described[0] == {"hook": "a", "name": "KEY", "kind": "set"}
    stored = json.dumps([str(vars(fact.event)) for fact in world.log.select(0, 100)])
    assert "s3cr3t" not in stored


def test_the_same_values_sealed_again_record_nothing_of_secrets(world: Any) -> None:
    commit(world, sealed(world, KEY="one"))
    world.run(world.reconciler.sync())
    commit(world, sealed(world, KEY="one"))
    result = world.run(world.reconciler.sync())
    assert result.plan.secrets == ()
    assert world.topics().count("hook.secret_set") == 1
    assert world.run(world.reconciler.sync()).status is SyncStatus.UNCHANGED


def test_only_what_differs_is_set_and_the_former_key_is_destroyed(world: Any) -> None:
    commit(world, sealed(world, KEY="one", OTHER="two"))
    world.run(world.reconciler.sync())
    former = world.caught_up().table.find_hook("a").secrets["KEY"].key_id
    commit(world, sealed(world, KEY="changed", OTHER="two"))
    result = world.run(world.reconciler.sync())
    assert [change.name for change in result.plan.secrets] == ["KEY"]
    assert values(world) == {"KEY": "changed", "OTHER": "two"}
    assert former not in world.vault.values


def test_a_later_part_of_the_file_wins(world: Any) -> None:
    commit(world, sealed(world, KEY="one", OTHER="two"), sealed(world, KEY="later"))
    world.run(world.reconciler.sync())
    assert values(world) == {"KEY": "later", "OTHER": "two"}


def test_a_file_or_a_name_that_goes_leaves_the_secret(world: Any) -> None:
    commit(world, sealed(world, KEY="one", OTHER="two"))
    world.run(world.reconciler.sync())
    commit(world, sealed(world, OTHER="two"))
    world.run(world.reconciler.sync())
    commit(world)
    world.run(world.reconciler.sync())
    assert values(world) == {"KEY": "one", "OTHER": "two"}
    assert "hook.secret_removed" not in world.topics()


def test_a_file_moved_to_another_hook_refuses_the_commit(world: Any) -> None:
    commit(world, sealed(world, "victim", KEY="one"), name="thief")
    with pytest.raises(Rejected) as refused:
        world.run(world.reconciler.sync())
    [problem] = refused.value.problems
    assert problem.file == "hooks_repo/hooks/pre-user-registration/thief/secrets.age"
    assert "another hook than `thief`" in problem.message
    assert world.vault.values == {}


def test_a_file_for_another_server_refuses_the_commit_and_says_what_to_do(world: Any) -> None:
    commit(world, b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----")
    with pytest.raises(Rejected) as refused:
        world.run(world.reconciler.sync())
    assert "hookledger secrets seal" in refused.value.problems[0].message
    row = world.caught_up().table.sources["default"]
    assert "another server" in row.problems[0]["message"]


def test_the_limit_of_secrets_counts_those_that_exist(world: Any) -> None:
    commit(world, sealed(world, **{f"K{number}": "v" for number in range(15)}))
    world.run(world.reconciler.sync())
    commit(world, sealed(world, **{f"L{number}": "v" for number in range(6)}))
    with pytest.raises(Rejected, match="more than 20"):
        world.run(world.reconciler.sync())


def test_a_hook_that_moves_to_another_trigger_gets_its_secrets_anew(world: Any) -> None:
    commit(world, sealed(world, KEY="one"))
    world.run(world.reconciler.sync())
    commit(world, sealed(world, KEY="one"), trigger="credentials-exchange")
    world.run(world.reconciler.sync())
    assert values(world) == {"KEY": "one"}


def test_planning_stores_nothing_and_a_lost_race_leaves_no_key(world: Any) -> None:
    commit(world, sealed(world, KEY="one"))
    world.run(world.reconciler.plan())
    assert world.vault.values == {}
    world.run(world.reconciler.sync())
    commit(world, sealed(world, KEY="two"))
    hook_id = world.caught_up().table.find_hook("a").id
    real = world.vault.seal
    raced: list[str] = []

    def race(owner: str, name: str, value: str) -> Any:
        if not raced:
            raced.append(name)
            set_secret(world.ledger, world.vault, hook_id, "KEY", "by hand", META)
        return real(owner, name, value)

    world.vault.seal = race
    world.run(world.reconciler.sync())
    assert values(world) == {"KEY": "two"}
    assert list(world.vault.values.values()) == ["two"]


def test_a_refusal_at_the_last_moment_is_not_a_half_of_a_revision(world: Any) -> None:
    commit(world, sealed(world, KEY="one"))

    def broken(*_: Any) -> Any:
        raise Conflict("no")

    world.vault.seal = broken
    with pytest.raises(Conflict):
        world.run(world.reconciler.sync())
    assert world.topics() == []
