"""Fakes of ports that use cases meet, as they are; what they were asked is public."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.domain.documents.packages import PackageSet
from app.domain.errors import HookledgerError, Problem
from app.domain.hooks.secrets import SealedSecret


@dataclass
class FakePackages:
    problems: dict[PackageSet, Sequence[Problem]] = field(default_factory=dict)
    failure: HookledgerError | None = None
    installed: set[PackageSet] = field(default_factory=set)
    asked: list[PackageSet] = field(default_factory=list)

    async def ensure(
        self, wanted: Collection[PackageSet]
    ) -> Mapping[PackageSet, Sequence[Problem]]:
        self.asked += wanted
        if self.failure is not None:
            raise self.failure
        refused = {one: self.problems[one] for one in wanted if one in self.problems}
        self.installed |= set(wanted) - refused.keys()
        return refused

    def folder(self, wanted: PackageSet) -> str | None:
        return f"python-{wanted.digest}" if wanted in self.installed else None

    async def sweep(self, in_use: Collection[PackageSet]) -> None:
        self.installed &= set(in_use)


@dataclass
class FakeVault:
    values: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def seal(self, hook_id: str, name: str, value: str) -> SealedSecret:
        self.made += 1
        self.values[f"k{self.made}"] = value
        return SealedSecret(name, f"k{self.made}", "sealed")

    def open(self, hook_id: str, secret: SealedSecret) -> str:
        return self.values[secret.key_id]

    def destroy(self, key_ids: Iterable[str]) -> None:
        for key_id in key_ids:
            self.values.pop(key_id, None)

    def protect(self, purpose: str, data: bytes) -> bytes:
        return data

    def reveal(self, purpose: str, protected: bytes) -> bytes:
        return protected
