"""Invoking a hook that depends on packages."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from app.application.invoking.install_packages import missing, sweep
from app.domain.documents.packages import PackageSet
from app.domain.errors import Stalled
from app.domain.triggers.catalogue import contract_of

BODY = orjson.dumps(contract_of("pre-user-registration").example)
SIX = PackageSet.of("python", {"six": "1.16.0"})


def test_a_hook_runs_with_the_folder_of_its_packages(world: Any, make_row: Any) -> None:
    world.put(make_row(dependencies={"six": "1.16.0"}))
    world.packages.installed.add(SIX)
    asyncio.run(world.invoker.invoke("pre-user-registration", BODY, caller="test"))
    assert world.runner.calls[0][0].packages == world.packages.folder(SIX)


def test_a_hook_without_dependencies_has_no_folder(world: Any, make_row: Any) -> None:
    world.put(make_row())
    asyncio.run(world.invoker.invoke("pre-user-registration", BODY, caller="test"))
    assert world.runner.calls[0][0].packages is None


def test_a_hook_that_lacks_its_packages_says_so_until_they_are_there(
    world: Any, make_row: Any
) -> None:
    world.put(make_row(dependencies={"six": "1.16.0"}))
    with pytest.raises(Stalled, match="packages of hook `a-hook` are not installed"):
        asyncio.run(world.invoker.invoke("pre-user-registration", BODY, caller="test"))
    world.packages.installed.add(SIX)
    asyncio.run(world.invoker.invoke("pre-user-registration", BODY, caller="test"))
    assert len(world.runner.calls) == 1


def test_a_hook_that_lacks_its_packages_hinders_no_other_from_being_warm(
    world: Any, make_row: Any
) -> None:
    world.put(make_row(dependencies={"six": "1.16.0"}, version_key="lacking"))
    asyncio.run(world.invoker.warm())
    assert world.runner.prepared == []
    world.packages.installed.add(SIX)
    asyncio.run(world.invoker.warm())
    assert world.runner.prepared == ["lacking"]


def test_invoking_installs_nothing(world: Any, make_row: Any) -> None:
    world.put(make_row(dependencies={"six": "1.16.0"}))
    with pytest.raises(Stalled):
        asyncio.run(world.invoker.invoke("pre-user-registration", BODY, caller="test"))
    assert world.packages.asked == []


def test_only_sets_that_are_not_installed_are_missing(world: Any, make_row: Any) -> None:
    rows = [make_row(dependencies={"six": "1.16.0"}), make_row()]
    assert missing(world.packages, rows) == {SIX}
    world.packages.installed.add(SIX)
    assert missing(world.packages, rows) == frozenset()


def test_sweeping_keeps_what_a_hook_needs(world: Any, make_row: Any) -> None:
    old = PackageSet.of("python", {"six": "1.15.0"})
    world.packages.installed |= {SIX, old}
    asyncio.run(sweep(world.packages, [make_row(dependencies={"six": "1.16.0"}), make_row()]))
    assert world.packages.installed == {SIX}
