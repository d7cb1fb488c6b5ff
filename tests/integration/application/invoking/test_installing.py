"""A revision goes live with its packages installed, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.application.syncing.results import SyncStatus
from app.domain.documents.packages import PackageSet
from app.domain.errors import Problem, Rejected, Transient

OLD = PackageSet.of("python", {"six": "1.15.0"})
NEW = PackageSet.of("python", {"six": "1.16.0"})
BOTH = {"six": "1.16.0", "requests": "9.9.9"}


def hook(world: Any, name: str, dependencies: dict[str, str], **settings: Any) -> Any:
    return replace(world.make_hook(name, **settings), dependencies=dependencies)


def test_packages_are_installed_before_the_revision_is_applied(world: Any) -> None:
    world.repository.commit(hook(world, "a", {"six": "1.16.0"}, enabled=True))
    heads: list[int] = []
    real = world.packages.ensure

    async def ensure(wanted: Any) -> Any:
        heads.append(world.ledger.head())
        return await real(wanted)

    world.packages.ensure = ensure
    assert world.run(world.reconciler.sync()).status is SyncStatus.APPLIED
    assert heads == [0]
    assert world.packages.installed == {NEW}
    assert world.caught_up().table.find_hook("a").dependencies == {"six": "1.16.0"}


def test_two_hooks_may_use_different_versions(world: Any) -> None:
    world.repository.commit(
        hook(world, "a", {"six": "1.15.0"}),
        hook(world, "b", {"six": "1.16.0"}),
        hook(world, "c", {}),
    )
    world.run(world.reconciler.sync())
    assert world.packages.installed == {OLD, NEW}


def test_every_hook_that_asks_for_a_package_that_cannot_be_had_is_named(world: Any) -> None:
    asked = PackageSet.of("python", BOTH)
    reasons = [Problem("none", key="dependencies.six"), Problem("no", key="dependencies.requests")]
    world.packages.problems[asked] = reasons
    bad = world.repository.commit(hook(world, "a", BOTH), hook(world, "b", BOTH))
    with pytest.raises(Rejected) as refusal:
        world.run(world.reconciler.sync())
    found = [(problem.file, problem.key) for problem in refusal.value.problems]
    folder = "hooks_repo/hooks/pre-user-registration"
    assert sorted(found) == sorted(
        (f"{folder}/{name}/hook.toml", f"dependencies.{package}")
        for name in ("a", "b")
        for package in ("six", "requests")
    )
    assert world.caught_up().table.sources["default"].rejected == bad


def test_a_registry_that_cannot_be_reached_refuses_nothing(world: Any) -> None:
    world.repository.commit(hook(world, "a", {"six": "1.16.0"}))
    world.packages.failure = Transient("The index cannot be reached.")
    with pytest.raises(Transient):
        world.run(world.reconciler.sync())
    assert world.ledger.head() == 0
    world.packages.failure = None
    assert world.run(world.reconciler.sync()).status is SyncStatus.APPLIED


def test_a_plan_lists_packages_and_installs_none(world: Any) -> None:
    world.repository.commit(hook(world, "a", {"six": "1.16.0"}), hook(world, "b", {}))
    planned = world.run(world.reconciler.plan())
    assert planned.dependencies == ({"hook": "a", "name": "six", "version": "1.16.0"},)
    assert world.packages.asked == []


def test_a_plan_lists_packages_of_changed_hooks_only_if_they_change(world: Any) -> None:
    world.repository.commit(hook(world, "a", {"six": "1.15.0"}))
    world.run(world.reconciler.sync())
    world.caught_up()
    world.repository.commit(hook(world, "a", {"six": "1.15.0"}, timeout_ms=9))
    assert world.run(world.reconciler.plan()).dependencies == ()
    world.repository.commit(hook(world, "a", {"six": "1.16.0"}))
    assert [one["version"] for one in world.run(world.reconciler.plan()).dependencies] == ["1.16.0"]
