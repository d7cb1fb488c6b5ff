"""Commands on hooks over a real store: races, two servers, git on the other side."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from app.application.managing.hook_writer import HookWriter
from app.application.views import HookRow
from app.domain.aggregates import Meta
from app.domain.errors import Rejected
from app.domain.hooks.hook import HookNotFound, SecretTaken
from app.domain.hooks.names import NameTaken
from app.domain.manifests.drafts import HookDraft, HookPatch

PRE = "pre-user-registration"
META = Meta(actor="client:c1", origin="api")


def writer(world: Any, number: int = 1) -> HookWriter:
    """Make the writer of server ``number``."""
    ids = iter(f"01K{number:03d}{each:020d}" for each in range(10_000))
    return HookWriter(
        ledger=world.ledger,
        hooks=world.hooks,
        vault=world.vault,
        packages=world.packages,
        new_id=lambda: next(ids),
    )


def draft(name: str = "a-hook", **members: Any) -> HookDraft:
    return HookDraft(**{"name": name, "trigger": PRE, "script": "x"} | members)


def rows(world: Any) -> dict[str, HookRow]:
    return {row.name: row for row in world.caught_up().table.hooks.values()}


def race(world: Any, *work: Any) -> list[Any]:
    async def run() -> list[Any]:
        return await asyncio.gather(*work, return_exceptions=True)

    outcomes: list[Any] = world.run(run())
    return outcomes


@pytest.mark.parametrize("servers", [1, 2])
def test_of_24_that_race_for_a_name_one_gets_it(world: Any, servers: int) -> None:
    writers = [writer(world, number) for number in range(servers)]
    outcomes = race(world, *(writers[n % servers].create(draft(), META) for n in range(24)))
    assert Counter(type(each).__name__ for each in outcomes) == {"WrittenHook": 1, "NameTaken": 23}
    assert world.topics() == ["hook_name.created", "hook.created"]


def test_of_hooks_that_race_for_a_trigger_every_one_is_stored_and_one_enabled(world: Any) -> None:
    one, other = writer(world, 1), writer(world, 2)
    work = [
        (one if number % 2 else other).create(draft(f"hook-{number}", enabled=True), META)
        for number in range(12)
    ]
    outcomes = race(world, *work)
    assert not [each for each in outcomes if isinstance(each, Exception)]
    assert sum(row.enabled for row in rows(world).values()) == 1
    assert len(rows(world)) == 12


def test_racing_additions_of_one_secret_keep_one_value_and_no_key_is_left_over(world: Any) -> None:
    one, other = writer(world, 1), writer(world, 2)
    hook = world.run(one.create(draft(), META))
    work = [
        (one if number % 2 else other).add_secrets(hook.id, {"KEY": str(number)}, META)
        for number in range(12)
    ]
    outcomes = race(world, *work)
    assert sum(isinstance(each, SecretTaken) for each in outcomes) == 11
    assert len(world.vault.values) == 1


def test_a_hook_that_is_deleted_while_it_is_changed_is_gone_or_changed_before(world: Any) -> None:
    one, other = writer(world, 1), writer(world, 2)
    hook = world.run(one.create(draft(enabled=True), META))
    outcomes = race(
        world,
        *(one.update(hook.id, HookPatch(script=str(n)), META) for n in range(6)),
        other.delete(hook.id, META),
        *(other.add_secrets(hook.id, {f"S{n}": "v"}, META) for n in range(6)),
    )
    failed = [each for each in outcomes if isinstance(each, Exception)]
    assert all(isinstance(each, HookNotFound) for each in failed)
    assert rows(world) == {}
    assert world.vault.values == {}
    assert world.hooks.table.active_hook(PRE) is None


def test_the_writer_reads_its_own_writes(world: Any) -> None:
    async def story() -> None:
        mine = writer(world)
        made = await mine.create(draft(enabled=True), META)
        assert world.hooks.table.hooks[made.id].enabled
        await mine.update(made.id, HookPatch(script="2", enabled=False), META)
        assert world.hooks.table.hooks[made.id].script == "2"
        assert not world.hooks.table.hooks[made.id].enabled
        await mine.delete(made.id, META)
        assert made.id not in world.hooks.table.hooks

    world.run(story())


def test_a_new_script_or_packages_are_a_new_version(world: Any) -> None:
    mine = writer(world)
    made = world.run(mine.create(draft(), META))
    keys = [rows(world)["a-hook"].version_key]
    for patch in (HookPatch(script="2"), HookPatch(dependencies={"ms": "2.1.3"})):
        world.run(mine.update(made.id, patch, META))
        keys.append(rows(world)["a-hook"].version_key)
    world.run(mine.update(made.id, HookPatch(name="renamed", enabled=True), META))
    assert len(set(keys)) == 3
    assert rows(world)["renamed"].version_key == keys[-1]


def test_a_commit_cannot_take_the_name_of_a_hook_of_the_api(world: Any) -> None:
    world.run(writer(world).create(draft("mine"), META))
    world.repository.commit(world.make_hook("mine"))
    with pytest.raises(Rejected, match="belongs to a hook owned by `api`"):
        world.run(world.reconciler.sync())


def test_a_commit_leaves_hooks_of_the_api_alone_and_takes_over_the_trigger(world: Any) -> None:
    world.run(writer(world).create(draft("ours", enabled=True), META))
    world.repository.commit(world.make_hook("gits", enabled=True))
    world.run(world.reconciler.sync())
    assert {name: row.enabled for name, row in rows(world).items()} == {
        "ours": False,
        "gits": True,
    }


def test_a_hook_of_git_that_was_replaced_stays_off_until_its_content_changes(world: Any) -> None:
    world.repository.commit(world.make_hook("gits", enabled=True))
    world.run(world.reconciler.sync())
    world.run(writer(world).create(draft("ours", enabled=True), META))
    world.run(world.reconciler.sync())
    assert {name: row.enabled for name, row in rows(world).items()} == {
        "ours": True,
        "gits": False,
    }
    world.repository.commit(world.make_hook("gits", "changed", enabled=True))
    world.run(world.reconciler.sync())
    assert rows(world)["gits"].enabled


def test_a_name_that_was_freed_may_come_from_git(world: Any) -> None:
    mine = writer(world)
    made = world.run(mine.create(draft("mine"), META))
    world.run(mine.delete(made.id, META))
    world.repository.commit(world.make_hook("mine"))
    world.run(world.reconciler.sync())
    assert rows(world)["mine"].owner == "source:default"
    with pytest.raises(NameTaken):
        world.run(mine.create(draft("mine"), META))
