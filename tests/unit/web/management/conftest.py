"""The Management API over a ledger in memory; the table folds what the ledger holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from app.application.ledger import Ledger
from app.application.managing.hook_writer import HookWriter
from app.application.views import ActiveTable
from app.domain.aggregates import Meta, recorded_as
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName
from app.domain.revisions import Position
from app.domain.triggers.trigger import Trigger
from projections.audit_log.translation import audit_row
from projections.event_log import StoredEventLog
from projections.hook_table.fold import fold
from tests.doubles.ports import FakeVault

GIT = Meta(actor="source:default", origin="git")
PRE = "pre-user-registration"


@dataclass
class FoldingTable:
    """Catches up when it is asked for, as a follower would a little later."""

    log: StoredEventLog
    table: ActiveTable
    stuck: bool = False

    async def wait_for(self, position: Position, timeout: float) -> bool:
        if not self.stuck:
            self.catch_up()
        return self.table.position >= position

    def catch_up(self) -> None:
        self.table = fold(self.table, self.log.select(self.table.position, 10_000))


@dataclass
class Tenant:
    """A site whose Management API writes to ``ledger``."""

    site: Any
    ledger: Ledger
    hooks: FoldingTable
    vault: FakeVault

    @property
    def prepared(self) -> list[tuple[str, dict[str, str]]]:
        return [(each.language, dict(each.dependencies)) for each in self.site.packages.asked]

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer: httpx.Response = self.site.ask(method, f"/api/v2{path}", **options)
        return answer

    def create(self, **members: Any) -> dict[str, Any]:
        body = {"name": "a-hook", "script": "module.exports = 1", "triggerId": PRE} | members
        answer = self.ask("POST", "/hooks", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def enabled(self) -> dict[str, bool]:
        return {row["name"]: row["enabled"] for row in self.ask("GET", "/hooks").json()}

    def commit_hook(self, name: str, *, enabled: bool = True, **members: Any) -> str:
        """Have git own a hook."""
        hook_id = f"01G{name.upper().replace('-', ''):0>23}"
        settings = {
            "enabled": enabled,
            "order": 0,
            "timeout_ms": 5000,
            "network": [],
            "required_secrets": [],
            "prune": "auto",
        }
        content = {
            "language": "python",
            "script": "def hook(user, context): ...\n",
            "dependencies": {},
            "trigger": PRE,
        } | members
        with recorded_as(GIT):
            hook = Hook.create(
                hook_id,
                name=name,
                owner="source:default",
                path=f"hooks/{PRE}/{name}",
                settings=settings,
                digest="d",
                **content,
            )
            changed = [hook, HookName(name=name, hook_id=hook_id)]
            if enabled:
                trigger = self.ledger.find(Trigger, Trigger.create_id(PRE))
                trigger = trigger or Trigger(trigger=PRE)
                trigger.enable(hook_id)
                changed.append(trigger)
            self.ledger.record(*changed)
        self.hooks.catch_up()
        return hook_id

    def topics(self) -> list[str]:
        return [fact.topic for fact in self.hooks.log.select(Position(0), 10_000)]

    def told(self) -> list[Any]:
        """Return every event as the audit log tells it."""
        return [audit_row(fact, None) for fact in self.hooks.log.select(Position(0), 10_000)]

    def stored(self) -> bytes:
        return b"\n".join(fact.state for fact in self.hooks.log.select(Position(0), 10_000))


@pytest.fixture
def tenant(site: Any) -> Tenant:
    ledger = Ledger({})
    log = StoredEventLog(ledger.recorder, ledger.mapper)
    hooks = FoldingTable(log, replace(site.hooks.table, position=Position(0)))
    vault = FakeVault()
    ids = iter(f"01J{number:023d}" for number in range(10_000))
    made = Tenant(site, ledger, hooks, vault)

    writer = HookWriter(
        ledger=ledger,
        hooks=hooks,
        vault=vault,
        packages=site.packages,
        new_id=lambda: next(ids),
    )
    site.hooks = hooks
    site.services = replace(site.services, hooks=hooks, writer=writer)
    return made
