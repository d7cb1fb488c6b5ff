"""What invocations and management meet: the table, a runner, packages, a vault."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.application.views import (
    ActiveTable,
)
from app.domain.documents.packages import PackageSet
from app.domain.errors import (
    Problem,
)
from app.domain.hooks.secrets import SealedSecret
from app.domain.outcomes import Call, HookVersion, Outcome, OutcomeKind, ScriptToCheck
from app.domain.revisions import Position


@dataclass
class FakeHookTable:
    table: ActiveTable
    coming: ActiveTable | None = None
    """What the table will be once somebody waits for it."""

    async def wait_for(self, position: Position, timeout: float) -> bool:
        if self.coming is not None and self.coming.position >= position:
            self.table = self.coming
        return self.table.position >= position


@dataclass
class FakeRunner:
    outcome: Outcome = field(default_factory=lambda: Outcome(OutcomeKind.SUCCEEDED, b"{}"))
    calls: list[Call] = field(default_factory=list)
    raises: Exception | None = None

    async def run(self, version: HookVersion, call: Call) -> Outcome:
        self.calls.append(call)
        if self.raises is not None:
            raise self.raises
        return self.outcome

    def distrust(self, version: HookVersion, outcome: Outcome) -> None:
        return

    def expect(self, versions: Sequence[HookVersion]) -> None:
        raise AssertionError("HTTP prepares no workers")

    async def prepare(self, versions: Sequence[HookVersion]) -> None:
        raise AssertionError("HTTP prepares no workers")

    async def check(self, scripts: Sequence[ScriptToCheck]) -> Sequence[Problem]:
        return ()


@dataclass
class FakePackages:
    asked: list[PackageSet] = field(default_factory=list)
    problem: Problem | None = None

    async def ensure(
        self, wanted: Collection[PackageSet]
    ) -> Mapping[PackageSet, Sequence[Problem]]:
        self.asked += wanted
        return {} if self.problem is None else {one: [self.problem] for one in wanted}

    def folder(self, wanted: PackageSet) -> str | None:
        return f"{wanted.language}-{wanted.digest}" if wanted in self.asked else None

    async def sweep(self, in_use: Collection[PackageSet]) -> None:
        raise AssertionError("HTTP deletes nothing")


class FakeVault:
    def seal(self, hook_id: str, name: str, value: str) -> SealedSecret:
        raise AssertionError("HTTP seals nothing")

    def open(self, hook_id: str, secret: SealedSecret) -> str:
        return "opened"

    def destroy(self, key_ids: Iterable[str]) -> None:
        raise AssertionError("HTTP destroys nothing")

    def protect(self, purpose: str, data: bytes) -> bytes:
        return data

    def reveal(self, purpose: str, protected: bytes) -> bytes:
        return protected
