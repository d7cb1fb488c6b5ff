"""What changed between two moments."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from app.application.history.table_diff import HookDiff, RowDiff, TableDiff, diff_tables
from app.application.history.time_travel import TimeTravel
from app.domain.errors import Problem, Rejected
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer
from app.web.protocol.moments import MOMENT
from app.web.protocol.parameters import CURSOR, LIMIT, text


async def show_diff(inquiry: Inquiry) -> Response:
    """Answer what differs between two moments, hooks in pages."""
    found = await inquiry.services.read(partial(compared, inquiry.services.past, inquiry.values))
    headers = {"hookledger-position": str(found.after)}
    return json_answer(diff_members(found), headers=headers)


def compared(past: TimeTravel, values: Mapping[str, Any]) -> TableDiff:
    """Compare the tables of two moments, the later one now if not given. Blocking."""
    if values["from"] is None:
        problem = Problem("is missing", key="from")
        raise Rejected("A comparison needs a moment to begin with.", problems=[problem])
    before = past.as_of(values["from"], key="from")
    after = past.newest() if values["to"] is None else past.as_of(values["to"], key="to")
    return diff_tables(before, after, beyond=values["cursor"] or "", limit=values["limit"])


def diff_members(diff: TableDiff) -> dict[str, Any]:
    """Choose what is shown of a comparison: all, because tables of the past hold no secrets."""
    return {
        "from": diff.before,
        "to": diff.after,
        "hooks": [_hook(hook) for hook in diff.hooks],
        "triggers": [{"id": row.id, "fields": _fields(row)} for row in diff.triggers],
        "sources": [{"id": row.id, "fields": _fields(row)} for row in diff.sources],
        "next": diff.next,
    }


def _hook(hook: HookDiff) -> dict[str, Any]:
    members = {field.name: getattr(hook, field.name) for field in dataclasses.fields(hook)}
    return members | {"fields": _fields(hook), "script": hook.script or None}


def _fields(row: HookDiff | RowDiff) -> list[dict[str, Any]]:
    return [{"field": field.field, "from": field.before, "to": field.after} for field in row.fields]


ENDPOINTS = (
    Endpoint(
        Operation(
            id="compareMoments",
            method="GET",
            path="/v1/diff",
            summary="Show what changed between two moments",
            description=(
                "Hooks that are new, other or gone, with their scripts as unified diffs; what "
                "triggers run; applied commits. Of secrets only versions are compared."
            ),
            group="Hooks",
            scope="read:hooks",
            positioned=True,
            parameters=(
                text("from", f"The earlier moment: {MOMENT}."),
                text("to", "The later moment, written alike; now, if not given."),
                LIMIT,
                CURSOR,
            ),
            answers={200: Answered("What differs.", {JSON: "Diff"}, ("Hookledger-Position",))},
            problems=("not-found",),
        ),
        show_diff,
    ),
)
