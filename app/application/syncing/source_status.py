"""Judge a source: its sync state, its health, and what to do, from what is stored and seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from app.application.acts import Act
from app.application.invoking.install_packages import packages_of
from app.application.ports import Packages
from app.application.syncing.compare_table import Drift
from app.application.syncing.results import SourceSettings
from app.application.syncing.stages import Operation
from app.application.syncing.status import (
    Health,
    Override,
    SourceStatus,
    SyncState,
    Watch,
    Work,
    hooks_in_force,
    overrides_of,
    row_of,
)
from app.application.syncing.suspend_source import is_suspended
from app.application.views import ActiveTable, SourceRow
from app.domain.revisions import Position

Judgement = tuple[SyncState, str, datetime | None]


def source_status(
    settings: SourceSettings,
    table: ActiveTable,
    watch: Watch,
    work: Work,
    packages: Packages,
    now: datetime,
) -> SourceStatus:
    """Put together what is stored of a source and what its watcher and reconciler see."""
    row = row_of(table, settings)
    overrides = tuple(overrides_of(table, settings.owner))
    state, reason, since = _judge(row, watch, overrides, work, now)
    ailments = tuple(_ailments(settings, table, packages))
    operation = work.operation
    if operation is Operation.IDLE and watch.error is not None:
        operation = Operation.RETRYING
    return SourceStatus(
        id=settings.id,
        location=settings.location,
        branch=settings.branch,
        path=settings.path,
        state=state,
        reason=reason,
        since=since,
        applied=row.applied if row else None,
        tip=watch.tip,
        checked_at=watch.checked_at,
        problems=row.problems if row else (),
        position=row.position if row else Position(0),
        operation=operation,
        health=_health(row, operation, ailments),
        ailments=ailments,
        held=row.held if row else None,
        suspension=row.suspension if row and is_suspended(row, now) else None,
        rollback=row.rollback if row else None,
        skipped=row.skipped if row else (),
        overrides=overrides,
        drift=work.drift,
        history=row.history if row else (),
        signer=row.signer if row else None,
    )


def unmanaged_status(row: SourceRow, table: ActiveTable) -> SourceStatus:
    """Tell of a source that is not configured any more."""
    owner = f"source:{row.id}"
    left = sum(1 for hook in table.hooks.values() if hook.owner == owner)
    return SourceStatus(
        id=row.id,
        location=row.location,
        branch=row.branch,
        path=row.path,
        state=SyncState.UNMANAGED,
        reason=(
            f"The source is not configured any more; its {left} hook(s) stay as they are. To go "
            "on, configure it again; to be rid of them, have it follow a branch without hooks."
        ),
        since=None,
        applied=row.applied,
        tip=None,
        checked_at=None,
        problems=(),
        position=row.position,
        overrides=tuple(overrides_of(table, owner)),
        history=row.history,
        signer=row.signer,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    row: SourceRow
    watch: Watch
    overrides: tuple[Override, ...]
    drift: Drift | None
    now: datetime


def _judge(
    row: SourceRow | None, watch: Watch, overrides: tuple[Override, ...], work: Work, now: datetime
) -> Judgement:
    """Say the first that holds; they stand in the order in which they need a person."""
    if row is None:
        if watch.error is not None:
            return SyncState.OUT_OF_SYNC, watch.error, watch.checked_at
        return SyncState.UNKNOWN, "The first sync has not finished yet.", None
    seen = _Seen(row, watch, overrides, work.drift, now)
    found = (rule(seen) for rule in _RULES)
    return next((judgement for judgement in found if judgement is not None), _in_force(row))


def _in_force(row: SourceRow) -> Judgement:
    if row.applied is None:
        return SyncState.UNKNOWN, "No commit has been applied yet.", None
    return SyncState.SYNCED, f"Commit {row.applied[:12]} is in force.", row.applied_at


def _suspended(seen: _Seen) -> Judgement | None:
    act = seen.row.suspension
    if act is None or not is_suspended(seen.row, seen.now):
        return None
    until = f"until {act.until:%Y-%m-%d %H:%M} UTC" if act.until else "until somebody resumes"
    reason = (
        f"Suspended by {_told(act)}, {until}; what was applied stays in force. "
        "`hookledger sync resume` follows the branch again."
    )
    return SyncState.SUSPENDED, reason, act.at


def _unreadable(seen: _Seen) -> Judgement | None:
    if seen.watch.error is None:
        return None
    return SyncState.OUT_OF_SYNC, seen.watch.error, seen.watch.checked_at


def _rejected(seen: _Seen) -> Judgement | None:
    row = seen.row
    if row.rejected is None:
        return None
    reason = (
        f"Commit {row.rejected[:12]} was refused for {len(row.problems)} reason(s); correct them "
        "in a new commit."
    )
    return SyncState.REJECTED, reason, row.rejected_at


def _held(seen: _Seen) -> Judgement | None:
    held = seen.row.held
    if held is None:
        return None
    what = "; ".join(hold["message"] for hold in held.holds)
    if held.approval is not None:
        reason = f"Commit {held.commit[:12]} was approved by {_told(held.approval)}, and is next."
    else:
        reason = (
            f"Commit {held.commit[:12]} waits: {what}. Look at the plan and approve it with "
            f"`hookledger sync approve {held.digest}`, or commit something else."
        )
    return SyncState.HELD, reason, held.at


def _rolled_back(seen: _Seen) -> Judgement | None:
    row = seen.row
    if row.rollback is None or seen.watch.tip not in row.skipped:
        return None
    act = row.rollback.act
    reason = (
        f"Rolled back to commit {(row.applied or '')[:12]} by {_told(act)}; the branch's newest "
        "commit is skipped. The next new one is applied: correct or revert it in git."
    )
    return SyncState.OUT_OF_SYNC, reason, act.at


def _overridden(seen: _Seen) -> Judgement | None:
    if not seen.overrides:
        return None
    told = "; ".join(
        f"`{each.name}` by {_told(each.act)}"
        + (f" until {each.act.until:%Y-%m-%d %H:%M} UTC" if each.act.until else "")
        for each in seen.overrides
    )
    reason = (
        f"Disabled against git: {told}. `hookledger hooks enable` lets a hook run again; so does a "
        "commit that changes it."
    )
    return SyncState.OUT_OF_SYNC, reason, min(each.act.at for each in seen.overrides)


def _drifted(seen: _Seen) -> Judgement | None:
    drift, applied = seen.drift, seen.row.applied
    if drift is None or not drift.is_there or drift.commit != applied:
        return None
    why = "".join(f" It is not healed: {hold.message}." for hold in drift.holds)
    reason = (
        f"{len(drift.changes)} change(s) would be needed to have commit {(applied or '')[:12]} in "
        f"force as it is; see `drift`.{why}"
    )
    return SyncState.OUT_OF_SYNC, reason, drift.at


_RULES = (_suspended, _unreadable, _rejected, _held, _rolled_back, _overridden, _drifted)


def _told(act: Act) -> str:
    return f"{act.actor} ({act.reason})" if act.reason else act.actor


def _health(row: SourceRow | None, operation: Operation, ailments: tuple[str, ...]) -> Health:
    if row is None or row.applied is None:
        return Health.UNKNOWN
    if operation is Operation.APPLYING:
        return Health.PROGRESSING
    return Health.DEGRADED if ailments else Health.HEALTHY


def _ailments(settings: SourceSettings, table: ActiveTable, packages: Packages) -> Iterator[str]:
    for hook in hooks_in_force(table, settings):
        missing = [
            name for name in hook.settings.get("required_secrets", ()) if name not in hook.secrets
        ]
        if missing:
            yield (
                f"Hook `{hook.name}` lacks the secrets {', '.join(missing)}; set each with "
                f"`hookledger secrets set {hook.name} NAME`."
            )
        if hook.dependencies and packages.folder(packages_of(hook)) is None:
            yield (
                f"The packages of hook `{hook.name}` are not installed on this server; it goes on "
                "trying, and its log says what hinders it (packages_refused)."
            )
