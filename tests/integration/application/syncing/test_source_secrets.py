"""Secrets that a source declares: set when they differ, removed when they go, never told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from app.application.managing.manage_secrets import set_secret
from app.application.syncing.results import SyncStatus
from app.domain.aggregates import Meta
from app.domain.errors import HookledgerError

META = Meta(actor="test", origin="cli")
VALUE = "s3cret-value-1"


def with_secrets(world: Any, secrets: dict[str, str | None] | None, name: str = "a") -> Any:
    return replace(world.make_hook(name, enabled=True), secrets=secrets)


def sync(world: Any, *hooks: Any, tree: str | None = None) -> Any:
    world.repository.commit(*hooks, tree=tree)
    result = world.run(world.reconciler.sync())
    return result, world.caught_up().table.find_hook("a")


def opened(world: Any, row: Any) -> dict[str, str]:
    return {name: world.vault.open(row.id, secret) for name, secret in row.secrets.items()}


def test_values_are_sealed_with_the_hook_and_only_when_they_differ(world: Any) -> None:
    result, row = sync(world, with_secrets(world, {"K": VALUE, "UNKNOWN": None}))
    assert opened(world, row) == {"K": VALUE}
    assert result.plan.changes[0].fields == ("secrets.K",)
    before = world.ledger.head()
    result, _ = sync(world, with_secrets(world, {"K": VALUE, "UNKNOWN": None}))
    assert result.plan.changes == ()
    assert world.topics()[before:] == ["sync_run.completed", "source.revision_applied"]
    result, row = sync(world, with_secrets(world, {"K": "another-value"}))
    assert [(c.kind, c.fields) for c in result.plan.changes] == [("update", ("secrets.K",))]
    assert opened(world, row) == {"K": "another-value"}
    assert list(world.vault.values.values()) == ["another-value"]


def test_left_out_stays_the_placeholder_stays_and_an_empty_object_wipes(world: Any) -> None:
    _, row = sync(world, with_secrets(world, {"K": VALUE, "L": "second-value"}))
    key_ids = {name: secret.key_id for name, secret in row.secrets.items()}
    _, row = sync(world, with_secrets(world, None))
    assert {name: secret.key_id for name, secret in row.secrets.items()} == key_ids
    result, row = sync(world, with_secrets(world, {"K": None}))
    assert result.plan.changes[0].fields == ("secrets.L (removed)",)
    assert {n: s.key_id for n, s in row.secrets.items()} == {"K": key_ids["K"]}
    _, row = sync(world, with_secrets(world, {}))
    assert row.secrets == {}
    assert world.vault.values == {}


def test_a_value_set_by_hand_is_put_back_with_the_next_commit(world: Any) -> None:
    _, row = sync(world, with_secrets(world, {"K": VALUE}), tree="f" * 40)
    set_secret(world.ledger, world.vault, row.id, "K", "by hand", META)
    result, row = sync(world, with_secrets(world, {"K": VALUE}), tree="f" * 40)
    assert result.status is SyncStatus.APPLIED
    assert opened(world, row) == {"K": VALUE}


def test_a_value_stands_in_no_plan_event_or_message(world: Any) -> None:
    result, _ = sync(world, with_secrets(world, {"K": VALUE}))
    plan = result.plan
    told = [repr(plan), json.dumps([c.described() for c in plan.changes]), plan.digest]
    told += [repr(fact) for fact in world.log.select(0, 10_000)]
    assert [text for text in told if VALUE in text] == []


def test_the_commit_in_force_is_judged_again_at_start_if_settings_may_have_changed(
    world: Any,
) -> None:
    commit = world.repository.commit(with_secrets(world, {"K": VALUE}))
    world.run(world.reconciler.sync())
    tree, _ = world.repository.commits[commit]
    world.repository.commits[commit] = (tree, (with_secrets(world, {"K": "rotated"}),))
    assert world.run(world.reconciler.sync()).status is SyncStatus.UNCHANGED
    restarted = world.another_server(reread=True)
    assert world.run(restarted.sync()).status is SyncStatus.APPLIED
    assert opened(world, world.caught_up().table.find_hook("a")) == {"K": "rotated"}
    before = world.ledger.head()
    assert world.run(restarted.sync()).status is SyncStatus.UNCHANGED
    assert world.run(world.another_server(reread=True).sync()).status is SyncStatus.UNCHANGED
    assert world.ledger.head() == before


def test_values_sealed_for_what_is_not_recorded_are_destroyed(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise HookledgerError("The disk is full.")

    world.repository.commit(with_secrets(world, {"K": VALUE}))
    monkeypatch.setattr(world.ledger, "record", refuse)
    with pytest.raises(HookledgerError, match="disk is full"):
        world.run(world.reconciler.sync())
    assert world.vault.made == 1
    assert world.vault.values == {}


def test_a_race_leaves_no_sealed_values_behind(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, row = sync(world, world.make_hook("a"))
    world.repository.commit(with_secrets(world, {"K": VALUE}))
    seal = world.vault.seal
    raced: list[bool] = []

    def seal_late(hook_id: str, name: str, value: str) -> Any:
        if not raced:
            raced.append(True)
            set_secret(world.ledger, world.vault, row.id, "K", "from elsewhere", META)
        return seal(hook_id, name, value)

    monkeypatch.setattr(world.vault, "seal", seal_late)
    world.run(world.reconciler.sync())
    assert opened(world, world.caught_up().table.find_hook("a")) == {"K": VALUE}
    assert list(world.vault.values.values()) == [VALUE]
