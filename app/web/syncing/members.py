"""What is shown of sources, plans and syncs, member by member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.application.acts import Act, AppliedRevision, HeldPlan, Rollback
from app.application.syncing.compare_table import Drift
from app.application.syncing.preview_plan import Preview
from app.application.syncing.results import SyncResult
from app.application.syncing.status import Override, SourceStatus
from app.domain.plans.diffs import HookDiff
from app.domain.plans.plan import Change, Plan


def source_members(status: SourceStatus) -> dict[str, Any]:
    """Choose what is shown of a source."""
    return {
        "id": status.id,
        "location": status.location,
        "branch": status.branch,
        "path": status.path,
        "state": status.state,
        "health": status.health,
        "operation": status.operation,
        "reason": status.reason,
        "since": status.since,
        "applied": status.applied,
        "signer": status.signer,
        "tip": status.tip,
        "checked_at": status.checked_at,
        "problems": [_problem_members(problem) for problem in status.problems],
        "ailments": status.ailments,
        "held": held_members(status.held) if status.held else None,
        "suspension": act_members(status.suspension) if status.suspension else None,
        "rollback": _rollback_members(status.rollback) if status.rollback else None,
        "skipped": status.skipped,
        "overrides": [_override_members(override) for override in status.overrides],
        "drift": _drift_members(status.drift) if status.drift else None,
        "history": [_revision_members(revision) for revision in status.history],
        "position": status.position,
    }


def result_members(result: SyncResult) -> dict[str, Any]:
    """Choose what is shown of a sync."""
    return {
        "status": result.status,
        "commit": result.commit,
        "position": result.position,
        "plan": plan_members(result.plan) if result.plan is not None else None,
    }


def plan_members(planned: Plan) -> dict[str, Any]:
    """Choose what is shown of a plan."""
    return {
        "commit": planned.commit,
        "tree": planned.tree,
        "digest": planned.digest,
        "counts": planned.counts,
        "changes": [_change_members(change) for change in planned.changes],
        "kept": planned.kept,
        "secrets": [change.described() for change in planned.secrets],
    }


def preview_members(preview: Preview) -> dict[str, Any]:
    """Choose what is shown of a plan before it is agreed to."""
    return {
        **plan_members(preview.plan),
        "holds": [hold.described() for hold in preview.holds],
        "diffs": [_diff_members(diff) for diff in preview.diffs],
        "dependencies": preview.plan.dependencies,
        "to_install": [
            {"hook": each.hook, "name": each.name, "version": each.version}
            for each in preview.to_install
        ],
        "missing_secrets": [
            {"hook": each.hook, "name": each.name} for each in preview.missing_secrets
        ],
        "untested": preview.untested,
    }


def held_members(held: HeldPlan) -> dict[str, Any]:
    """Choose what is shown of a held plan."""
    return {
        "commit": held.commit,
        "digest": held.digest,
        "counts": held.counts,
        "changes": [_stored_change_members(change) for change in held.changes],
        "holds": held.holds,
        "at": held.at,
        "approval": act_members(held.approval) if held.approval else None,
    }


def act_members(act: Act) -> dict[str, Any]:
    """Choose what is shown of what a person did."""
    return {"actor": act.actor, "at": act.at, "reason": act.reason, "until": act.until}


def _change_members(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "name": change.name,
        "trigger": change.trigger,
        "path": change.path,
        "hook": change.hook_id,
        "fields": change.fields,
    }


def _stored_change_members(change: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": change["kind"],
        "name": change["name"],
        "trigger": change["trigger"],
        "path": change.get("path"),
        "fields": change.get("fields", ()),
    }


def _diff_members(diff: HookDiff) -> dict[str, Any]:
    return {
        "hook": diff.hook,
        "kind": diff.kind,
        "script": diff.script,
        "fields": [
            {"name": each.name, "before": each.before, "after": each.after} for each in diff.fields
        ],
        "network_added": diff.network_added,
        "network_removed": diff.network_removed,
    }


def _problem_members(problem: Mapping[str, Any]) -> dict[str, Any]:
    return {member: problem.get(member) for member in ("message", "file", "line", "key")}


def _rollback_members(rollback: Rollback) -> dict[str, Any]:
    return {"previous": rollback.previous, **act_members(rollback.act)}


def _override_members(override: Override) -> dict[str, Any]:
    return {
        "hook": override.hook,
        "name": override.name,
        "trigger": override.trigger,
        **act_members(override.act),
    }


def _drift_members(drift: Drift) -> dict[str, Any]:
    return {
        "at": drift.at,
        "commit": drift.commit,
        "changes": [_change_members(change) for change in drift.changes],
        "healed": drift.healed,
        "holds": [hold.described() for hold in drift.holds],
        "error": drift.error,
    }


def _revision_members(revision: AppliedRevision) -> dict[str, Any]:
    return {"commit": revision.commit, "at": revision.at}
