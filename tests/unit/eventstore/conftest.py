"""One event of every kind, made by the aggregates' own commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from app.domain.aggregates import Commit, DomainEvent, Meta, Root, recorded_as
from app.domain.callers.client import Client
from app.domain.errors import Problem
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName
from app.domain.hooks.secrets import SealedSecret
from app.domain.plans.plan import Change, ChangeKind, Plan
from app.domain.revisions import CommitSha, TreeSha
from app.domain.signers import Signer
from app.domain.sources.guards import Guard, Hold
from app.domain.sources.source import Source
from app.domain.sources.sync_runs import SyncRun
from app.domain.triggers.definitions import TriggerDefinition
from app.domain.triggers.trigger import Trigger

HOOK = "01J8Z3Q7V9K2M4N6P8R0S2T4V6"
OTHER = "01J8Z3Q7V9K2M4N6P8R0S2T4V7"
SHA = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
META = Meta(
    actor="git-watcher",
    origin="git",
    correlation_id="01J8Z3Q7V9K2M4N6P8R0S2T4C0",
    command_id="01J8Z3Q7V9K2M4N6P8R0S2T4C1",
    reason="the branch moved",
    commit=Commit(
        source="main",
        sha=SHA,
        author="Ada Lovelace <ada@example.org>",
        committer="Grace Hopper <grace@example.org>",
        signer=Signer("ssh", "SHA256:cGxlYXNlIGRvIG5vdCB0cnVzdCBhdXRob3JzIQ", "grace@example.org"),
    ),
)


@pytest.fixture
def every_event() -> Callable[[], list[DomainEvent]]:
    """Make at least one event of every topic."""
    return make_every_event


def make_every_event() -> list[DomainEvent]:
    with recorded_as(META):
        aggregates: list[Root] = [_hook(), _name(), _trigger(), _source(), _sync_run(), _client()]
        events = [event for each in aggregates for event in each.collect_events()]
    return [event for event in events if isinstance(event, DomainEvent)]


def _hook() -> Hook:
    hook = Hook.create(
        HOOK,
        name="no-throwaway",
        trigger="pre-user-registration",
        owner="source:main",
        path="hooks/pre-user-registration/no-throwaway",
        language="python",
        script="def hook(user, context):\n    return {}\n",
        dependencies={"idna": "3.10"},
        settings={
            "enabled": True,
            "order": 0,
            "timeout_ms": 5000,
            "network": ["api.example.org:443"],
            "required_secrets": ["API_KEY"],
            "prune": "auto",
        },
        digest=DIGEST,
    )
    hook.change_script("node", "module.exports = function (user, context, cb) {}\n", DIGEST)
    hook.change_dependencies({}, DIGEST)
    hook.change_settings({**hook.settings, "timeout_ms": 1000}, DIGEST)
    hook.move("hooks/pre-user-registration/team-a/no-throwaway")
    hook.rename("no-disposable")
    hook.set_secret(
        SealedSecret("API_KEY", "01J8Z3Q7V9K2M4N6P8R0S2T4K0", "bm9uY2UAY2lwaGVydGV4dA==")
    )
    hook.set_secret(
        SealedSecret("API_KEY", "01J8Z3Q7V9K2M4N6P8R0S2T4K1", "bm9uY2UBY2lwaGVydGV4dA==")
    )
    hook.remove_secret("API_KEY")
    hook.delete()
    return hook


def _name() -> HookName:
    name = HookName(name="no-throwaway", hook_id=HOOK)
    name.release(HOOK)
    name.reserve(OTHER)
    return name


def _trigger() -> Trigger:
    trigger = Trigger(trigger="pre-user-registration")
    trigger.enable(OTHER)
    trigger.enable(HOOK)
    trigger.enable(HOOK, order=3)
    trigger.disable(HOOK, break_glass=True)
    trigger.define(TriggerDefinition(trigger.trigger, custom=False, mode="chain"), "source:main")
    trigger.remove_definition()
    return trigger


def _source() -> Source:
    source = Source(
        source="main", location="file:///srv/hooks.git", branch="main", path="hooks_repo"
    )
    problem = Problem("unknown key `tigger`", file="hooks/a/hook.toml", line=2, key="tigger")
    source.reject_revision(commit="1" * 40, branch="main", problems=(problem,))
    source.apply_revision(
        commit=SHA, tree="2" * 40, branch="main", plan_digest=DIGEST, counts={"created": 1}
    )
    retiring = Change(ChangeKind.RETIRE, "no-throwaway", "pre-user-registration", "hooks/a", HOOK)
    plan = Plan(CommitSha("3" * 40), TreeSha("4" * 40), (retiring,))
    until = datetime(2026, 12, 24, 18, tzinfo=UTC)
    hold = Hold(Guard.WINDOW, "no commits go live at this time", until)
    source.hold_plan(plan, branch="main", holds=(hold,))
    source.approve_plan(plan.digest)
    source.suspend(until)
    source.resume()
    source.roll_back(plan, branch="main", skipped=[SHA])
    source.heal_drift(plan)
    return source


def _sync_run() -> SyncRun:
    changes = [{"kind": "create", "hook": "no-throwaway"}]
    run = SyncRun(source="main", commit=SHA, changes=changes)
    run.repeat([])
    return run


def _client() -> Client:
    client = Client.create(
        "01J8Z3Q7V9K2M4N6P8R0S2T4D0",
        name="Registration service",
        scopes=["invoke:triggers"],
        secret_hash=DIGEST,
        token_hash=DIGEST[::-1],
    )
    client.revoke()
    return client
