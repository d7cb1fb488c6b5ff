"""GitOps over HTTP: where each source stands, sync it now, plan without changing anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from app.application.envelopes import parse_json
from app.application.reconcile import SyncResult
from app.application.status import SourceStatus
from app.domain.errors import Problem, Rejected
from app.domain.plans import Change, Plan
from app.web.endpoints import JSON, Answered, Endpoint, Inquiry, Operation
from app.web.errors import RevisionRefused
from app.web.formats import json_answer

_REF = re.compile(r"(?!-)[^\x00-\x20\x7f]{1,255}\Z")
"""Nothing that a program could take for an option; whether it exists, the repository knows."""


async def show_sync(inquiry: Inquiry) -> Response:
    """Answer each source as an operator wants to see it."""
    sources = [source_members(status) for status in inquiry.services.sources()]
    return json_answer({"sources": sources, "position": inquiry.table.position})


async def sync_now(inquiry: Inquiry) -> Response:
    """Apply the branch's tip; a refused commit is a problem that lists every reason."""
    _members(inquiry.body, known=())
    try:
        result = await inquiry.services.sync_now()
    except Rejected as refusal:
        raise RevisionRefused(refusal.message, problems=refusal.problems) from refusal
    return json_answer(
        result_members(result), headers={"hookledger-position": str(result.position)}
    )


async def plan(inquiry: Inquiry) -> Response:
    """Answer what applying a ref would change; nothing is changed."""
    ref = _members(inquiry.body, known=("ref",)).get("ref")
    if ref is not None and not (isinstance(ref, str) and _REF.match(ref)):
        problem = Problem("must be a branch, a tag or a commit's id", key="ref")
        raise Rejected("Nothing can be planned for that.", problems=[problem])
    try:
        planned = await inquiry.services.plan(ref)
    except Rejected as refusal:
        raise RevisionRefused(refusal.message, problems=refusal.problems) from refusal
    return json_answer(plan_members(planned))


def source_members(status: SourceStatus) -> dict[str, Any]:
    """Choose what is shown of a source."""
    return {
        "id": status.id,
        "location": status.location,
        "branch": status.branch,
        "path": status.path,
        "state": status.state,
        "reason": status.reason,
        "since": status.since,
        "applied": status.applied,
        "signer": status.signer,
        "tip": status.tip,
        "checked_at": status.checked_at,
        "problems": [_problem_members(problem) for problem in status.problems],
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
        "secrets": [change.described() for change in planned.secrets],
    }


def _change_members(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "name": change.name,
        "trigger": change.trigger,
        "path": change.path,
        "hook": change.hook_id,
        "fields": change.fields,
    }


def _problem_members(problem: Mapping[str, Any]) -> dict[str, Any]:
    return {member: problem.get(member) for member in ("message", "file", "line", "key")}


def _members(body: bytes, known: tuple[str, ...]) -> dict[str, Any]:
    """Read an object that may be left out; raise ``Rejected`` for anything else."""
    if not body.strip():
        return {}
    given = parse_json(body)
    if not isinstance(given, dict):
        raise Rejected("The body must be a JSON object, or empty.")
    listed = ", ".join(known) or "none"
    problems = [
        Problem(f"is not a member of this request; known are: {listed}", key=name)
        for name in given
        if name not in known
    ]
    if problems:
        raise Rejected("The body of this request cannot be used.", problems=problems)
    return given


ENDPOINTS = (
    Endpoint(
        Operation(
            id="showSync",
            method="GET",
            path="/v1/sync",
            summary="Show where each source stands",
            description="State, applied commit, and every problem of the newest refused commit.",
            group="Sync",
            scope="read:sync",
            positioned=True,
            answers={200: Answered("Every source.", {JSON: "Sources"}, ("Hookledger-Position",))},
        ),
        show_sync,
    ),
    Endpoint(
        Operation(
            id="syncNow",
            method="POST",
            path="/v1/sync",
            summary="Apply the branch's tip now",
            description="Answers when it is applied, at the position in `Hookledger-Position`.",
            group="Sync",
            scope="update:sync",
            body="Nothing",
            positioned=True,
            answers={
                200: Answered("What was done.", {JSON: "SyncResult"}, ("Hookledger-Position",))
            },
            problems=("revision-rejected", "stalled", "transient"),
        ),
        sync_now,
    ),
    Endpoint(
        Operation(
            id="planSync",
            method="POST",
            path="/v1/sync/plan",
            summary="Say what applying a ref would change",
            description="Nothing is changed. Without a ref, the branch's tip is planned.",
            group="Sync",
            scope="update:sync",
            body="PlanRequest",
            positioned=True,
            answers={200: Answered("The plan.", {JSON: "Plan"}, ("Hookledger-Position",))},
            problems=("not-found", "revision-rejected", "stalled", "transient"),
        ),
        plan,
    ),
)
