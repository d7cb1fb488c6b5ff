"""A real ledger with its projections, and a repository whose commits are values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from app.application.ledger import Ledger
from app.application.syncing.progress import OnStage, log_large_stages
from app.application.syncing.reconcile import Reconciler
from app.application.syncing.results import SourceSettings
from app.application.syncing.sealed_secrets import SealedSecrets
from app.domain.errors import NotFound, Problem, Rejected
from app.domain.outcomes import Call, HookVersion, Outcome, OutcomeKind, ScriptToCheck
from app.domain.plans.plan import DesiredHook, DesiredState
from app.domain.revisions import CommitSha, TreeSha
from app.domain.signers import Signer
from app.domain.sources.sync_policy import SyncPolicy
from app.eventstore.sqlite import sqlite_environment
from app.vault.age import AgeIdentities
from projections.audit_log.stored import StoredAuditLog
from projections.event_log import StoredEventLog
from projections.hook_table.live import LiveHookTable
from projections.hook_table.stored import StoredHookTable
from projections.sqlite import SQLiteDatabase
from tests.doubles.ports import FakePackages, FakeVault

T = TypeVar("T")

SETTINGS: dict[str, Any] = {
    "enabled": False,
    "order": 0,
    "timeout_ms": 5000,
    "network": [],
    "required_secrets": [],
    "prune": "auto",
}


def make_hook(
    name: str, script: str = "x", trigger: str = "pre-user-registration", **settings: Any
) -> DesiredHook:
    return DesiredHook(
        name=name,
        trigger=trigger,
        path=f"hooks/{trigger}/{name}",
        language="python",
        script=script,
        script_file="hook.py",
        dependencies={},
        settings=SETTINGS | settings,
    )


@dataclass
class FakeRepository:
    """Commits are made by ``commit``; each says everything."""

    commits: dict[str, tuple[str, tuple[DesiredHook, ...]]] = field(default_factory=dict)
    head: str = ""
    problems: dict[str, tuple[Problem, ...]] = field(default_factory=dict)
    read: list[tuple[str, str | None]] = field(default_factory=list)
    signers: dict[str, Signer] = field(default_factory=dict)
    unsigned: dict[str, tuple[Problem, ...]] = field(default_factory=dict)
    verified: list[tuple[str, str | None]] = field(default_factory=list)
    rewritten: bool = False
    """Whether no commit comes after another."""

    def is_ancestor(self, old: CommitSha, new: CommitSha) -> bool:
        known = list(self.commits)
        return not self.rewritten and known.index(old) <= known.index(new)

    def commit(self, *hooks: DesiredHook, tree: str | None = None) -> str:
        sha = f"{len(self.commits) + 1:040x}"
        self.commits[sha] = (tree or f"{len(self.commits) + 1001:040x}", hooks)
        self.head = sha
        return sha

    def tip(self) -> CommitSha:
        return CommitSha(self.head)

    def resolve(self, ref: str) -> CommitSha:
        if ref not in self.commits:
            raise NotFound(f"There is no `{ref}`.")
        return CommitSha(ref)

    def verify(self, commit: CommitSha, since: CommitSha | None) -> Signer | None:
        self.verified.append((commit, since))
        if commit in self.unsigned:
            raise Rejected("It is not proven who made it.", problems=self.unsigned[commit])
        return self.signers.get(commit)

    def desired(self, commit: CommitSha, since: TreeSha | None) -> DesiredState:
        self.read.append((commit, since))
        if commit in self.problems:
            raise Rejected("The commit is not valid.", problems=self.problems[commit])
        tree, hooks = self.commits[commit]
        return DesiredState(
            commit=commit,
            tree=TreeSha(tree),
            author="Ada <ada@example.com>",
            committer="Carl <carl@example.com>",
            message="Change hooks",
            hooks=hooks,
            removed=frozenset(),
            complete=True,
        )


@dataclass
class FakeRunner:
    problems: Sequence[Problem] = ()
    checked: list[str] = field(default_factory=list)
    expected: list[HookVersion] = field(default_factory=list)

    async def run(self, version: HookVersion, call: Call) -> Outcome:
        return Outcome(OutcomeKind.SUCCEEDED, b"{}")

    def distrust(self, version: HookVersion, outcome: Outcome) -> None:
        raise AssertionError("it answers what can be read")

    async def prepare(self, versions: Sequence[HookVersion]) -> None:
        return

    def expect(self, versions: Sequence[HookVersion]) -> None:
        self.expected += versions

    async def check(self, scripts: Sequence[ScriptToCheck]) -> Sequence[Problem]:
        self.checked += [script.file for script in scripts]
        return self.problems


@dataclass
class FakeClock:
    now: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class World:
    ledger: Ledger
    hooks: LiveHookTable
    audit: StoredAuditLog
    log: StoredEventLog
    repository: FakeRepository
    runner: FakeRunner
    packages: FakePackages
    vault: FakeVault
    reconciler: Reconciler
    age: AgeIdentities
    another_server: Callable[..., Reconciler]
    """Another reconciler of the same source; takes the policy it goes by."""
    clock: FakeClock
    make_hook: Callable[..., DesiredHook] = make_hook

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    def topics(self) -> list[str]:
        return [fact.topic for fact in self.log.select(Position0, 10_000)]

    def caught_up(self) -> LiveHookTable:
        assert self.hooks.wait(self.ledger.head(), 10)
        return self.hooks


Position0: Any = 0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    path = tmp_path / "hookledger.db"
    ledger = Ledger(sqlite_environment(path))
    database = SQLiteDatabase(path)
    log = StoredEventLog(ledger.recorder, ledger.mapper)
    hooks = LiveHookTable(log, StoredHookTable(database).load_table)
    ledger.add_waker(hooks.wake)
    hooks.start()
    repository, runner, vault = FakeRepository(), FakeRunner(), FakeVault()
    age = AgeIdentities(tmp_path / "age.db", vault, lambda: datetime(2026, 11, 20, tzinfo=UTC))
    packages = FakePackages()
    ids = iter(f"01J{number:023d}" for number in range(100_000))

    clock = FakeClock()

    def make_reconciler(
        policy: SyncPolicy | None = None,
        *,
        reread: bool = False,
        on_stage: OnStage = log_large_stages,
    ) -> Reconciler:
        rules = policy or SyncPolicy()
        return Reconciler(
            SourceSettings("default", "/repository", "main", "hooks_repo", rules),
            repository=repository,
            ledger=ledger,
            hooks=hooks,
            runner=runner,
            packages=packages,
            vault=vault,
            secrets=SealedSecrets(vault, age),
            clock=clock,
            new_id=lambda: next(ids),
            reread=reread,
            on_stage=on_stage,
        )

    try:
        yield World(
            ledger,
            hooks,
            StoredAuditLog(database),
            log,
            repository,
            runner,
            packages,
            vault,
            make_reconciler(),
            age,
            make_reconciler,
            clock,
        )
    finally:
        hooks.stop()
        age.close()
        database.close()
        ledger.close()
