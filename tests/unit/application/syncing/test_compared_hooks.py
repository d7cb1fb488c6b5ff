"""A difference is planned from the hooks it may concern, as it would be from all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.application.syncing.revisions import active_hook, compared_hooks
from app.application.views import ActiveTable, HookRow, TriggerRow
from app.domain.errors import Rejected
from app.domain.plans.plan import ActiveHook, DesiredHook, DesiredState
from app.domain.plans.planning import plan
from app.domain.revisions import CommitSha, Position, TreeSha

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TRIGGERS = ("pre-user-registration", "send-phone-message")
OWNERS = ("source:a", "source:b", "api")


def settings(*, enabled: bool) -> dict[str, Any]:
    return {"enabled": enabled, "order": 0, "prune": "auto"}


def row(number: int, trigger: str, owner: str, wanted: bool, enabled: bool) -> HookRow:
    return HookRow(
        id=f"id{number}",
        name=f"h{number}",
        trigger=trigger,
        owner=owner,
        path=f"hooks/{number}",
        language="python",
        script="1",
        digest="d",
        dependencies={},
        settings=settings(enabled=wanted),
        secrets={},
        enabled=enabled,
        break_glass=False,
        commit=None,
        position=Position(1),
        version_key="v",
        created_at=NOW,
        updated_at=NOW,
    )


def table_of(rows: Sequence[HookRow]) -> ActiveTable:
    running = {
        trigger: TriggerRow(
            trigger,
            tuple(h.id for h in rows if h.trigger == trigger and h.enabled),
            Position(1),
        )
        for trigger in TRIGGERS
    }
    return ActiveTable(
        hooks=MappingProxyType({hook.id: hook for hook in rows}),
        names=MappingProxyType({hook.name: hook.id for hook in rows}),
        triggers=MappingProxyType(running),
    )


Facts = tuple[str, str, bool, bool]


def without_contradiction(drawn: list[Facts]) -> list[HookRow]:
    """Make rows as syncs can have left them.

    A source wants one hook of a trigger enabled at most, and one is enabled at most.
    """
    made: list[HookRow] = []
    for number, (trigger, owner, wanted, enabled) in enumerate(drawn):
        taken = any(
            h.settings["enabled"] and (h.trigger, h.owner) == (trigger, owner) for h in made
        )
        runs = enabled and not any(h.enabled and h.trigger == trigger for h in made)
        made.append(row(number, trigger, owner, wanted and not taken, runs))
    return made


rows = st.lists(
    st.tuples(st.sampled_from(TRIGGERS), st.sampled_from(OWNERS), st.booleans(), st.booleans()),
    max_size=6,
).map(without_contradiction)
numbers = st.integers(0, 7)


@st.composite
def desired_hook(draw: st.DrawFn) -> DesiredHook:
    return DesiredHook(
        name=f"h{draw(numbers)}",
        trigger=draw(st.sampled_from(TRIGGERS)),
        path=f"hooks/{draw(numbers)}",
        language="python",
        script=draw(st.sampled_from(["1", "2"])),
        script_file="hook.py",
        dependencies={},
        settings=settings(enabled=draw(st.booleans())),
    )


states = st.builds(
    lambda hooks, removed: DesiredState(
        commit=CommitSha("c" * 40),
        tree=TreeSha("d" * 40),
        author="",
        committer="",
        message="",
        hooks=tuple({hook.name: hook for hook in hooks}.values()),
        removed=frozenset(f"hooks/{number}" for number in removed),
        complete=False,
    ),
    st.lists(desired_hook(), max_size=3),
    st.sets(numbers, max_size=2),
)


def planned(desired: DesiredState, active: Sequence[ActiveHook]) -> object:
    try:
        return plan(desired, active, owner="source:a").changes
    except Rejected as refusal:
        return str(refusal)


@given(rows, states)
def test_a_difference_is_planned_alike_from_all_hooks_and_from_those_it_concerns(
    existing: list[HookRow], desired: DesiredState
) -> None:
    table = table_of(existing)
    every = [active_hook(hook, NOW) for hook in existing]
    compared = compared_hooks(desired, table, "source:a", NOW)
    assert planned(desired, compared) == planned(desired, every)


def test_a_hook_that_has_nothing_to_do_with_a_commit_is_not_looked_at() -> None:
    others = [
        row(number, TRIGGERS[0], "source:a", wanted=False, enabled=False) for number in range(9)
    ]
    table = table_of(others)
    desired = DesiredState(
        commit=CommitSha("c" * 40),
        tree=TreeSha("d" * 40),
        author="",
        committer="",
        message="",
        hooks=(),
        removed=frozenset({"hooks/3"}),
        complete=False,
    )
    assert [hook.name for hook in compared_hooks(desired, table, "source:a", NOW)] == ["h3"]
