"""Hand-written fakes of the ports, and rows to fill a table with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.application.invoking.invoke import Invoker
from app.application.journal_views import ExecutionQuery, ExecutionRecord, LogQuery, StoredLine
from app.application.views import ActiveTable, Delivery, HookRow, Page, TriggerRow
from app.domain.errors import NotFound, Problem
from app.domain.hooks.secrets import SealedSecret
from app.domain.outcomes import Call, HookVersion, LogLine, Outcome, OutcomeKind, ScriptToCheck
from app.domain.revisions import Position
from tests.doubles.ports import FakePackages

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class FakeHookTable:
    table: ActiveTable

    async def wait_for(self, position: Position, timeout: float) -> bool:
        return self.table.position >= position


@dataclass
class FakeRunner:
    outcome: Outcome = field(default_factory=lambda: Outcome(OutcomeKind.SUCCEEDED, b"{}"))
    calls: list[tuple[HookVersion, Call]] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)
    problems: Sequence[Problem] = ()
    distrusted: list[Outcome] = field(default_factory=list)

    async def run(self, version: HookVersion, call: Call) -> Outcome:
        self.calls.append((version, call))
        return self.outcome

    def distrust(self, version: HookVersion, outcome: Outcome) -> None:
        self.distrusted.append(outcome)

    async def prepare(self, versions: Sequence[HookVersion]) -> None:
        self.prepared = [version.key for version in versions]

    def expect(self, versions: Sequence[HookVersion]) -> None:
        raise AssertionError("what is invoked is enabled already")

    async def check(self, scripts: Sequence[ScriptToCheck]) -> Sequence[Problem]:
        return self.problems


@dataclass
class FakeVault:
    values: dict[str, str] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)

    def seal(self, hook_id: str, name: str, value: str) -> SealedSecret:
        key_id = f"key-{len(self.values)}"
        self.values[key_id] = value
        return SealedSecret(name, key_id, "sealed")

    def open(self, hook_id: str, secret: SealedSecret) -> str:
        self.opened.append(secret.key_id)
        if secret.key_id not in self.values:
            raise NotFound("destroyed")
        return self.values[secret.key_id]

    def destroy(self, key_ids: Iterable[str]) -> None:
        for key_id in key_ids:
            self.values.pop(key_id, None)

    def protect(self, purpose: str, data: bytes) -> bytes:
        return data[::-1]

    def reveal(self, purpose: str, protected: bytes) -> bytes:
        return protected[::-1]


@dataclass
class FakeJournal:
    recorded: list[ExecutionRecord] = field(default_factory=list)

    def record(self, execution: ExecutionRecord) -> None:
        self.recorded.append(execution)

    def log(self, line: LogLine) -> None:
        raise AssertionError("the runner logs, not the use case")

    def executions(
        self, query: ExecutionQuery, *, cursor: str | None, limit: int
    ) -> Page[ExecutionRecord]:
        return Page(tuple(self.recorded), None)

    def lines(self, query: LogQuery, *, cursor: str | None, limit: int) -> Page[StoredLine]:
        return Page((), None)


@dataclass
class FakeQueue:
    deliveries: list[Delivery] = field(default_factory=list)

    async def enqueue(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)


@dataclass
class World:
    """An invoker and everything it talks to."""

    hooks: FakeHookTable
    runner: FakeRunner
    packages: FakePackages
    vault: FakeVault
    journal: FakeJournal
    queue: FakeQueue
    invoker: Invoker

    def put(self, row: HookRow) -> None:
        """Make ``row`` the active hook of its trigger."""
        self.hooks.table = replace(
            self.hooks.table,
            position=row.position,
            hooks={**self.hooks.table.hooks, row.id: row},
            triggers={
                **self.hooks.table.triggers,
                row.trigger: TriggerRow(row.trigger, (row.id,), row.position),
            },
        )


@pytest.fixture
def world() -> World:
    hooks = FakeHookTable(ActiveTable(position=Position(7)))
    packages = FakePackages()
    runner, vault, journal, queue = FakeRunner(), FakeVault(), FakeJournal(), FakeQueue()
    ids = iter(f"INV{number}" for number in range(1000))
    invoker = Invoker(
        hooks=hooks,
        runner=runner,
        packages=packages,
        vault=vault,
        journal=journal,
        queue=queue,
        clock=lambda: NOW,
        new_id=lambda: next(ids),
    )
    return World(hooks, runner, packages, vault, journal, queue, invoker)


@pytest.fixture
def make_row() -> Callable[..., HookRow]:
    def make(
        trigger: str = "pre-user-registration",
        *,
        secrets: Mapping[str, SealedSecret] | None = None,
        version_key: str = "v1",
        dependencies: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> HookRow:
        return HookRow(
            id="01HOOK",
            name="a-hook",
            trigger=trigger,
            owner="source:default",
            path="hooks/a-hook",
            language="python",
            script="def hook(user, context): ...",
            digest="d",
            dependencies=dependencies or {},
            settings={
                "enabled": True,
                "order": 0,
                "timeout_ms": 5000,
                "network": [],
                "required_secrets": [],
                "prune": "auto",
            }
            | settings,
            secrets=secrets or {},
            enabled=True,
            break_glass=False,
            commit="c" * 40,
            position=Position(9),
            version_key=version_key,
            created_at=NOW,
            updated_at=NOW,
        )

    return make
