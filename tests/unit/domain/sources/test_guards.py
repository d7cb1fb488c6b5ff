"""Guards: which plans are not applied by themselves, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.plans.plan import ActiveHook, Change, ChangeKind, Plan
from app.domain.revisions import CommitSha, TreeSha
from app.domain.sources.guards import holds_of
from app.domain.sources.sync_policy import Approval, ForcePush, SyncPolicy
from app.domain.sources.sync_windows import SyncWindow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLOSED = SyncWindow("deny", "0 12 * * *", timedelta(hours=2))


def hooks(count: int, **settings: Any) -> list[ActiveHook]:
    return [
        ActiveHook(
            id=f"ID-{number}",
            name=f"hook-{number}",
            trigger="credentials-exchange",
            owner="source:default",
            path=f"hooks/credentials-exchange/hook-{number}",
            language="python",
            script="",
            dependencies={},
            settings={"prune": "auto", **settings},
            digest="",
            enabled=False,
            break_glass=False,
        )
        for number in range(count)
    ]


def plan_of(*changes: Change) -> Plan:
    return Plan(CommitSha("c" * 40), TreeSha("d" * 40), changes)


def retiring(owned: list[ActiveHook], count: int) -> list[Change]:
    return [Change(ChangeKind.RETIRE, h.name, h.trigger, h.path, h.id) for h in owned[:count]]


def created(name: str = "new") -> Change:
    return Change(ChangeKind.CREATE, name, "credentials-exchange", f"hooks/{name}", None)


def guards(
    planned: Plan, owned: list[ActiveHook], policy: SyncPolicy | None = None, forced: bool = False
) -> list[str]:
    found = holds_of(
        planned, owned, policy or SyncPolicy(), owned=lambda: len(owned), forced=forced, now=NOW
    )
    return [str(hold.guard) for hold in found]


@pytest.mark.parametrize(
    ("owned", "retired", "expected"),
    [
        (20, 5, []),
        (20, 6, ["deletions"]),
        (25, 5, []),
        (100, 20, []),
        (100, 21, ["deletions"]),
        (3, 3, ["empty"]),
        (1, 1, ["empty"]),
        (6, 6, ["empty", "deletions"]),
    ],
)
def test_the_larger_of_a_count_and_a_share_may_go(
    owned: int, retired: int, expected: list[str]
) -> None:
    mine = hooks(owned)
    assert guards(plan_of(*retiring(mine, retired)), mine) == expected


def test_replacing_every_hook_leaves_none_empty() -> None:
    mine = hooks(1)
    assert guards(plan_of(*retiring(mine, 1), created()), mine) == []


def test_limits_and_emptiness_are_the_operators_to_set() -> None:
    mine = hooks(6)
    everything = plan_of(*retiring(mine, 6))
    assert guards(everything, mine, SyncPolicy(allow_empty=True, max_deletions=6)) == []
    one = plan_of(*retiring(mine, 1))
    strict = SyncPolicy(max_deletions=0, max_deletions_percent=0)
    assert guards(one, mine, strict) == ["deletions"]


def test_a_hook_that_asks_for_confirmation_holds_its_removal_and_nothing_else() -> None:
    mine = [*hooks(1, prune="confirm"), *[replace(h, id=f"X{h.id}") for h in hooks(3)[1:]]]
    assert guards(plan_of(*retiring(mine, 1)), mine) == ["prune"]
    assert guards(plan_of(*retiring(mine[1:], 1)), mine) == []
    assert guards(plan_of(created()), mine) == []


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (SyncPolicy(), ["force-push"]),
        (SyncPolicy(on_force_push=ForcePush.ALLOW), []),
        (SyncPolicy(windows=(CLOSED,)), ["force-push", "window"]),
        (SyncPolicy(approval=Approval.MANUAL), ["force-push", "approval"]),
    ],
)
def test_rewritten_history_closed_windows_and_manual_approval_hold_anything(
    policy: SyncPolicy, expected: list[str]
) -> None:
    assert guards(plan_of(created()), hooks(1), policy, forced=True) == expected


def test_a_closed_window_says_when_it_opens() -> None:
    policy = SyncPolicy(windows=(CLOSED,))
    (hold,) = holds_of(plan_of(created()), hooks(1), policy, owned=lambda: 1, forced=False, now=NOW)
    assert hold.until == NOW + timedelta(hours=2)
    assert "2026-11-23 14:00 UTC" in hold.message
    assert hold.described()["until"] == "2026-11-23T14:00:00+00:00"


@given(st.booleans(), st.sampled_from(Approval), st.booleans(), st.integers(0, 5))
def test_a_plan_that_changes_nothing_is_never_held(
    forced: bool, approval: Approval, closed: bool, owned: int
) -> None:
    policy = SyncPolicy(approval=approval, windows=(CLOSED,) if closed else ())
    assert guards(plan_of(), hooks(owned), policy, forced) == []


@given(st.integers(0, 60), st.data())
def test_nobody_loses_more_than_the_limits_say_unheld(owned: int, data: st.DataObject) -> None:
    retired = data.draw(st.integers(0, owned))
    mine = hooks(owned)
    if not guards(plan_of(*retiring(mine, retired)), mine):
        assert retired <= max(5, owned // 5)
        assert retired < owned or not owned
