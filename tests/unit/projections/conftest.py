"""A log in memory, written by real aggregates."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from app.domain.aggregates import Commit, DomainEvent, Meta, Root, recorded_as
from app.domain.callers.client import Client
from app.domain.errors import Transient
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName
from app.domain.hooks.secrets import SealedSecret
from app.domain.plans.plan import Plan
from app.domain.revisions import CommitSha, Position, TreeSha
from app.domain.sources.guards import Guard, Hold
from app.domain.sources.source import Source
from app.domain.sources.sync_runs import SyncRun
from app.domain.triggers.definitions import TriggerDefinition
from app.domain.triggers.trigger import Trigger
from projections.event_log import Recorded

SETTINGS = {"enabled": True, "order": 0, "timeout_ms": 5000, "network": [], "prune": "auto"}


class Story:
    """Implements ``EventLog`` for what its commands did; ``fail`` makes reading it fail."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.fail: Exception | None = None
        self.reads = 0
        self.read = threading.Condition()
        self._triggers: dict[str, Trigger] = {}

    def select(self, after: Position, limit: int) -> Sequence[Recorded]:
        with self.read:
            self.reads += 1
            self.read.notify_all()
        if self.fail is not None:
            raise self.fail
        return self.recorded[after : after + limit]

    def head(self) -> Position:
        if isinstance(self.fail, Transient):
            raise self.fail
        return Position(len(self.recorded))

    def save(self, *aggregates: Root) -> Position:
        """Record what aggregates have pending, at once as a transaction does."""
        events = [event for each in aggregates for event in each.collect_events()]
        facts = [
            Recorded(
                position=Position(len(self.recorded) + number),
                stream=event.originator_id,
                version=event.originator_version,
                topic=type(event).TOPIC,  # type: ignore[attr-defined]
                event=event if isinstance(event, DomainEvent) else None,
            )
            for number, event in enumerate(events, start=1)
        ]
        self.recorded = [*self.recorded, *facts]
        return self.head()

    def unknown(self, **members: Any) -> Recorded:
        """Record an event of a newer server."""
        members = {"stream": "hook:x", "topic": "hook.sharded", "state": b"{}", **members}
        fact = Recorded(
            position=Position(len(self.recorded) + 1),
            version=2,
            event=None,
            problem="this version of the server does not know this type of event.",
            **members,
        )
        self.recorded = [*self.recorded, fact]
        return fact

    @staticmethod
    def meta(commit: str | None = None, actor: str = "alice", **more: Any) -> Any:
        """Return the block in which events are made: by ``actor``, from ``commit`` if given."""
        made = (
            Commit(source="main", sha=commit, author="Ada", committer="Grace") if commit else None
        )
        return recorded_as(
            Meta(actor=actor, origin="git" if commit else "api", commit=made, **more)
        )

    def hook(self, hook_id: str = "A", name: str = "first", commit: str | None = None) -> Hook:
        """Create a hook; by default from the API."""
        with self.meta(commit):
            hook = Hook.create(
                hook_id,
                name=name,
                trigger="t",
                owner="source:main" if commit else "api",
                path=f"hooks/t/{name}" if commit else None,
                language="python",
                script=f"# {name}\n",
                dependencies={},
                settings=dict(SETTINGS),
                digest=f"digest of {name}",
            )
            self.save(hook)
        return hook

    def trigger(self) -> Trigger:
        with self.meta():
            trigger = Trigger(trigger="t")
            self.save(trigger)
        return trigger

    def source(self) -> Source:
        with self.meta():
            source = Source(source="main", location="/srv/x", branch="main", path="")
            self.save(source)
        return source

    def client(self) -> Client:
        with self.meta():
            client = Client.create(
                "C", name="c", scopes=["read:hooks"], secret_hash="sh", token_hash="th"
            )
            self.save(client)
        return client

    @staticmethod
    def secret(name: str, key_id: str) -> SealedSecret:
        return SealedSecret(name=name, key_id=key_id, ciphertext=f"sealed under {key_id}")

    def every_kind(self) -> None:
        """Record at least one event of every topic."""
        hook, trigger, source, client = self.hook(), self.trigger(), self.source(), self.client()
        with self.meta("c" * 40):
            name, run = HookName(name="first", hook_id="A"), SyncRun("main", "c" * 40, [])
            name.release("A")
            name.reserve("A")
            trigger.enable("A")
            trigger.enable("A", 5)
            trigger.disable("A")
            trigger.define(TriggerDefinition(trigger.trigger, custom=False, mode="chain"), "git")
            trigger.remove_definition()
            hook.change_script("python", "# very private\n", "d1")
            hook.change_dependencies({"idna": "3.10"}, "d2")
            hook.change_settings({**SETTINGS, "timeout_ms": 1}, "d3")
            hook.move("hooks/t/moved")
            hook.rename("second")
            hook.set_secret(self.secret("KEY", "k1"))
            hook.remove_secret("KEY")
            hook.delete()
            source.reject_revision(commit="b" * 40, branch="main", problems=())
            source.apply_revision(
                commit="c" * 40, tree="d" * 40, branch="main", plan_digest="p", counts={}
            )
            plan = Plan(CommitSha("e" * 40), TreeSha("f" * 40), ())
            source.hold_plan(plan, branch="main", holds=(Hold(Guard.APPROVAL, "it waits"),))
            source.approve_plan(plan.digest)
            source.suspend(None)
            source.resume()
            source.roll_back(plan, branch="main", skipped=["c" * 40])
            source.heal_drift(plan)
            run.repeat([])
            client.revoke()
            self.save(name, hook, trigger, source, run, client)


@pytest.fixture
def story() -> Story:
    return Story()
