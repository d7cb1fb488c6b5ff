"""The task that keeps installed what enabled hooks depend on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from app.application.views import HookRow
from app.bootstrap import packages as room
from app.domain.documents.packages import PackageSet
from app.domain.errors import HookledgerError, Problem, Transient
from app.domain.revisions import Position

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SIX = PackageSet.of("python", {"six": "1.16.0"})


def row(dependencies: Mapping[str, str]) -> HookRow:
    return HookRow(
        id="01HOOK",
        name="a-hook",
        trigger="pre-user-registration",
        owner="source:default",
        path="hooks/a-hook",
        language="python",
        script="",
        digest="d",
        dependencies=dependencies,
        settings={},
        secrets={},
        enabled=True,
        break_glass=False,
        commit=None,
        position=Position(1),
        version_key="v",
        created_at=NOW,
        updated_at=NOW,
    )


@dataclass
class FakePackages:
    failures: list[HookledgerError | OSError] = field(default_factory=list)
    installed: set[PackageSet] = field(default_factory=set)
    swept: list[frozenset[PackageSet]] = field(default_factory=list)
    tried: int = 0

    async def ensure(
        self, wanted: Collection[PackageSet]
    ) -> Mapping[PackageSet, Sequence[Problem]]:
        self.tried += 1
        if self.failures:
            raise self.failures.pop()
        self.installed |= set(wanted)
        return {}

    def folder(self, wanted: PackageSet) -> str | None:
        return "folder" if wanted in self.installed else None

    async def sweep(self, in_use: Collection[PackageSet]) -> None:
        self.swept.append(frozenset(in_use))


def keep(packages: FakePackages, monkeypatch: pytest.MonkeyPatch, *, rounds: int = 1) -> list[str]:
    """Run the task until it has looked ``rounds`` times; return what it told."""
    monkeypatch.setattr(room, "_LOOK_SECONDS", 0)
    told: list[str] = []

    async def run() -> None:
        looked = asyncio.Event()
        count, done = 0, asyncio.Event()

        def enabled() -> tuple[HookRow, ...]:
            nonlocal count
            count += 1
            if count > rounds:
                done.set()
            return (row({"six": "1.16.0"}), row({}))

        async def restored() -> None:
            told.append("restored")

        task = asyncio.ensure_future(
            room.keep_installed(
                packages,
                existing=lambda: (row({"six": "1.16.0"}),),
                enabled=enabled,
                restored=restored,
                looked=looked,
            )
        )
        await done.wait()
        assert looked.is_set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    return told


def test_a_deleted_cache_is_filled_again_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = FakePackages()
    assert keep(packages, monkeypatch) == ["restored"]
    assert packages.installed == {SIX}


def test_a_full_cache_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = FakePackages(installed={SIX})
    assert keep(packages, monkeypatch, rounds=3) == []
    assert packages.tried == 0


def test_what_could_not_be_installed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = FakePackages(failures=[OSError("disk"), Transient("down")])
    keep(packages, monkeypatch, rounds=3)
    assert packages.tried == 3
    assert packages.installed == {SIX}


def test_what_no_hook_needs_is_swept_once(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = FakePackages(installed={SIX})
    keep(packages, monkeypatch, rounds=3)
    assert packages.swept == [frozenset({SIX})]
