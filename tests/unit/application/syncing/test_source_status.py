"""Where a source stands: one state, why, since when, and what to do; the order decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from app.application.acts import Act, HeldPlan, Rollback
from app.application.syncing.compare_table import Drift
from app.application.syncing.results import SourceSettings
from app.application.syncing.source_status import source_status
from app.application.syncing.stages import Operation
from app.application.syncing.status import Health, SourceStatus, Watch, Work
from app.application.views import ActiveTable, HookRow, SourceRow
from app.domain.documents.packages import PackageSet
from app.domain.plans.plan import Change, ChangeKind
from app.domain.revisions import Position

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADA = Act("cli:ada", NOW, "incident 4711")
SOURCE = SourceSettings("default", "/srv/x", "main", "")
APPLIED, TIP = "a" * 40, "f" * 40
ROW = SourceRow(
    id="default",
    location="/srv/x",
    branch="main",
    path="",
    applied=APPLIED,
    tree="b" * 40,
    applied_at=NOW,
    rejected=None,
    rejected_at=None,
    problems=(),
    position=Position(5),
)
HOOK = HookRow(
    id="01JA",
    name="a",
    trigger="pre-user-registration",
    owner="source:default",
    path="hooks/a",
    language="python",
    script="",
    digest="",
    dependencies={},
    settings={"required_secrets": ["KEY"], "enabled": True},
    secrets={},
    enabled=True,
    break_glass=False,
    commit=APPLIED,
    position=Position(4),
    version_key="",
    created_at=NOW,
    updated_at=NOW,
)
HELD = HeldPlan(TIP, "d" * 64, {}, (), ({"guard": "empty", "message": "none is left"},), NOW)
SUSPENDED: dict[str, Any] = {"suspension": ADA}
REJECTED: dict[str, Any] = {"rejected": TIP, "problems": ({"message": "no"},), "rejected_at": NOW}
ROLLED_BACK: dict[str, Any] = {"rollback": Rollback(TIP, ADA), "skipped": (TIP,)}
OVERRIDDEN = structs.replace(
    HOOK, settings={"enabled": True}, enabled=False, break_glass=True, override=ADA
)
ENABLE = Change(ChangeKind.ENABLE, "a", "pre-user-registration", "hooks/a", "01JA")
DRIFT = Drift(NOW, APPLIED, (ENABLE,))


class NoPackages:
    async def ensure(self, wanted: Any) -> Any:
        raise AssertionError("a status installs nothing")

    def folder(self, wanted: PackageSet) -> str | None:
        return None

    async def sweep(self, in_use: Any) -> None:
        raise AssertionError("a status deletes nothing")


def status(
    *hooks: HookRow,
    error: str | None = None,
    drift: Drift | None = None,
    operation: Operation = Operation.IDLE,
    row: SourceRow | None = ROW,
    **members: Any,
) -> SourceStatus:
    known = {} if row is None else {"default": structs.replace(row, **members)}
    table = ActiveTable(hooks={hook.id: hook for hook in hooks}, sources=known)
    watch, work = Watch(TIP, NOW, error), Work(operation, drift)
    return source_status(SOURCE, table, watch, work, NoPackages(), NOW)


@pytest.mark.parametrize(
    ("members", "state", "said"),
    [
        ({}, "Synced", "aaaaaaaaaaaa is in force"),
        ({"row": None}, "Unknown", "first sync"),
        ({"row": None, "error": "no branch"}, "OutOfSync", "no branch"),
        ({"applied": None}, "Unknown", "No commit"),
        ({"error": "no branch"}, "OutOfSync", "no branch"),
        (SUSPENDED, "Suspended", "by cli:ada (incident 4711), until somebody resumes"),
        (REJECTED, "Rejected", "1 reason(s)"),
        ({"held": HELD}, "Held", "none is left. Look at the plan"),
        ({"held": HELD}, "Held", f"`hookledger sync approve {'d' * 64}`"),
        ({"held": replace(HELD, approval=ADA)}, "Held", "approved by cli:ada"),
        (ROLLED_BACK, "OutOfSync", "Rolled back to commit aaaaaaaaaaaa by cli:ada (incident 4711)"),
        ({"drift": DRIFT}, "OutOfSync", "1 change(s)"),
        ({"drift": replace(DRIFT, healed=True)}, "Synced", "in force"),
        ({"drift": replace(DRIFT, commit="e" * 40)}, "Synced", "in force"),
        ({**SUSPENDED, **REJECTED, "error": "no branch"}, "Suspended", "resume"),
        ({**REJECTED, "error": "no branch"}, "OutOfSync", "no branch"),
        ({**ROLLED_BACK, "held": HELD}, "Held", "waits"),
        ({**ROLLED_BACK, "skipped": ()}, "Synced", "in force"),
    ],
)  # fmt: skip
def test_the_first_that_needs_a_person_is_the_state(
    members: dict[str, Any], state: str, said: str
) -> None:
    found = status(**members)
    assert found.state == state
    assert said in found.reason


def test_a_hook_disabled_by_hand_is_out_of_sync_with_actor_and_reason() -> None:
    found = status(
        structs.replace(OVERRIDDEN, override=replace(ADA, until=NOW + timedelta(hours=2)))
    )
    assert found.state == "OutOfSync"
    assert "`a` by cli:ada (incident 4711) until 2026-11-23 14:00 UTC" in found.reason
    assert [(each.name, each.act.actor) for each in found.overrides] == [("a", "cli:ada")]


def test_a_suspension_whose_time_is_over_is_none() -> None:
    assert status(suspension=replace(ADA, until=NOW)).state == "Synced"


def test_health_is_whether_enabled_hooks_have_what_they_need() -> None:
    assert status(row=None).health is Health.UNKNOWN
    assert status().health is Health.HEALTHY
    lacking = status(HOOK)
    assert lacking.health is Health.DEGRADED
    assert lacking.ailments == (
        "Hook `a` lacks the secrets KEY; set each with `hookledger secrets set a NAME`.",
    )
    uninstalled = structs.replace(HOOK, settings={}, dependencies={"idna": "3.10"})
    assert "packages of hook `a`" in status(uninstalled).ailments[0]
    assert status(structs.replace(HOOK, enabled=False)).health is Health.HEALTHY
    assert status(structs.replace(HOOK, owner="api")).health is Health.HEALTHY
    assert status(HOOK, operation=Operation.APPLYING).health is Health.PROGRESSING


def test_a_run_that_failed_is_tried_again_and_says_so() -> None:
    assert status(error="the disk is full").operation is Operation.RETRYING
    assert status(error="the disk is full", operation=Operation.PLANNING).operation == "Planning"
