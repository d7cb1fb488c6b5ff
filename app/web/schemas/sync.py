"""JSON Schemas of requests and answers about sources and plans."""

from __future__ import annotations

from collections.abc import Mapping

from app.application.syncing.results import SyncStatus
from app.application.syncing.stages import Operation
from app.application.syncing.status import Health, SyncState
from app.domain.plans.plan import ChangeKind
from app.domain.sources.guards import Guard
from app.web.schemas.parts import (
    COMMIT,
    COUNT,
    FLAG,
    POSITION,
    TEXT,
    TIME,
    Schema,
    list_of,
    object_of,
    or_null,
    reference,
    words,
)

_COUNTS: Schema = {"type": "object", "additionalProperties": COUNT}
_DIGEST = TEXT | {"description": "Names exactly this plan."}
_REF: Schema = TEXT | {"minLength": 1, "maxLength": 255}
_REASON: Schema = TEXT | {"minLength": 1, "maxLength": 500, "description": "Stored with the event."}
_ACT: dict[str, Schema] = {
    "actor": TEXT,
    "at": TIME,
    "reason": or_null(TEXT),
    "until": or_null(TIME | {"description": "When it ends by itself."}),
}
_STORED_CHANGE: dict[str, Schema] = {
    "kind": words(ChangeKind),
    "name": TEXT,
    "trigger": TEXT,
    "path": or_null(TEXT),
    "fields": list_of(TEXT),
}
_PLAN: dict[str, Schema] = {
    "commit": TEXT,
    "tree": TEXT,
    "digest": _DIGEST,
    "counts": _COUNTS,
    "changes": list_of(reference("Change")),
    "kept": list_of(TEXT) | {"description": "Hooks that stay by `prune = false`."},
    "secrets": list_of(object_of({"hook": TEXT, "name": TEXT, "kind": TEXT}))
    | {"description": "Secrets that are set or removed; never a value."},
}
_PACKAGES = list_of(object_of({"hook": TEXT, "name": TEXT, "version": TEXT}))


def _request(required: dict[str, Schema], optional: dict[str, Schema]) -> Schema:
    return object_of(required, optional=optional) | {"additionalProperties": False}


SYNC_SCHEMAS: Mapping[str, Schema] = {
    "Sources": object_of({"sources": list_of(reference("Source")), "position": POSITION}),
    "Source": object_of(
        {
            "id": TEXT,
            "location": TEXT,
            "branch": TEXT,
            "path": TEXT,
            "state": words(SyncState),
            "health": words(Health),
            "operation": words(Operation),
            "reason": TEXT | {"description": "Why, since when, and what to do."},
            "since": or_null(TIME),
            "applied": COMMIT,
            "signer": or_null(reference("Signer")),
            "tip": COMMIT,
            "checked_at": or_null(TIME),
            "problems": list_of(reference("Complaint")),
            "ailments": list_of(TEXT) | {"description": "What keeps hooks from running."},
            "held": or_null(reference("HeldPlan")),
            "suspension": or_null(reference("Act")),
            "rollback": or_null(reference("Rollback")),
            "skipped": list_of(TEXT) | {"description": "Commits that a rollback keeps out."},
            "overrides": list_of(reference("Override")),
            "drift": or_null(reference("Drift")),
            "history": list_of(object_of({"commit": TEXT, "at": TIME})),
            "position": POSITION,
        }
    ),
    "Signer": object_of({"method": TEXT, "fingerprint": TEXT, "principal": TEXT}),
    "Act": object_of(_ACT),
    "Rollback": object_of({"previous": COMMIT, **_ACT}),
    "Override": object_of({"hook": TEXT, "name": TEXT, "trigger": TEXT, **_ACT}),
    "Hold": object_of({"guard": words(Guard), "message": TEXT, "until": or_null(TEXT)}),
    "HeldPlan": object_of(
        {
            "commit": TEXT,
            "digest": _DIGEST,
            "counts": _COUNTS,
            "changes": list_of(object_of(_STORED_CHANGE)),
            "holds": list_of(reference("Hold")),
            "at": TIME,
            "approval": or_null(reference("Act")),
        }
    ),
    "Drift": object_of(
        {
            "at": TIME,
            "commit": COMMIT,
            "changes": list_of(reference("Change")),
            "healed": FLAG,
            "holds": list_of(reference("Hold")),
            "error": or_null(TEXT),
        }
    ),
    "PlanRequest": _request({}, {"ref": or_null(_REF)}),
    "SuspendRequest": _request({"reason": _REASON}, {"until": or_null(TIME)}),
    "ResumeRequest": _request({"reason": _REASON}, {}),
    "ApproveRequest": _request({"digest": _DIGEST, "reason": _REASON}, {}),
    "RollbackRequest": _request({"commit": _REF, "reason": _REASON}, {}),
    "SyncResult": object_of(
        {
            "status": words(SyncStatus),
            "commit": TEXT,
            "position": POSITION,
            "plan": or_null(reference("Plan")),
        }
    ),
    "Plan": object_of(_PLAN),
    "Preview": object_of(
        {
            **_PLAN,
            "holds": list_of(reference("Hold")) | {"description": "What would hold it."},
            "diffs": list_of(reference("HookDiff")),
            "dependencies": _PACKAGES,
            "to_install": _PACKAGES,
            "missing_secrets": list_of(object_of({"hook": TEXT, "name": TEXT})),
            "untested": list_of(TEXT) | {"description": "Hooks whose packages are not here."},
        }
    ),
    "HookDiff": object_of(
        {
            "hook": TEXT,
            "kind": words(ChangeKind),
            "script": TEXT | {"description": "Unified diff; empty if it stays as it is."},
            "fields": list_of(object_of({"name": TEXT, "before": {}, "after": {}})),
            "network_added": list_of(TEXT),
            "network_removed": list_of(TEXT),
        }
    ),
    "Change": object_of(
        {**_STORED_CHANGE, "hook": or_null(TEXT | {"description": "Id; null if it is made."})}
    ),
}
"""By name, as part of ``app.web.schemas.components.SCHEMAS``."""
