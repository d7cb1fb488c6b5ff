"""What hooks did: execution records, and the lines they wrote."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, get_args

from starlette.responses import Response

from app.application.journal_views import ExecutionQuery, ExecutionRecord, LogQuery, StoredLine
from app.application.views import ActiveTable
from app.domain.errors import Problem, Rejected
from app.domain.outcomes import Level, OutcomeKind
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation
from app.web.protocol.formats import json_answer
from app.web.protocol.parameters import CURSOR, LIMIT, SINCE, UNTIL, Parameter, choice, text

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")


async def list_invocations(inquiry: Inquiry) -> Response:
    """Answer execution records, newest first."""
    values = inquiry.values
    query = ExecutionQuery(
        trigger=values["trigger"],
        hook=values["hook"],
        commit=values["commit"],
        kind=OutcomeKind(values["kind"]) if values["kind"] is not None else None,
        invocation_id=values["invocation"],
        since=values["since"],
        until=values["until"],
        caller=values["caller"],
        min_ms=values["min_ms"],
        text=values["text"],
    )
    page = await inquiry.services.read(
        partial(
            inquiry.services.journal.executions,
            query,
            cursor=values["cursor"],
            limit=values["limit"],
        )
    )
    shown = [record_members(record) for record in page.items]
    return json_answer({"invocations": shown, "next": page.next})


async def list_lines(inquiry: Inquiry) -> Response:
    """Answer log lines, newest first."""
    values = inquiry.values
    query = LogQuery(
        invocation_id=values["invocation"],
        hook=hook_id_of(inquiry.table, values["hook"]),
        level=values["level"],
        since=values["since"],
        until=values["until"],
    )
    page = await inquiry.services.read(
        partial(
            inquiry.services.journal.lines, query, cursor=values["cursor"], limit=values["limit"]
        )
    )
    return json_answer({"lines": [line_members(line) for line in page.items], "next": page.next})


def record_members(record: ExecutionRecord) -> dict[str, Any]:
    """Choose what is shown of a run: sizes and times, never payload or result."""
    return {
        "invocation_id": record.invocation_id,
        "at": record.at,
        "trigger": record.trigger,
        "hook_id": record.hook_id,
        "hook_name": record.hook_name,
        "commit": record.commit,
        "position": record.position,
        "caller": record.caller,
        "kind": record.kind,
        "error_class": record.error_class,
        "error": record.error,
        "queued_ms": record.queued_ms,
        "ran_ms": record.ran_ms,
        "total_ms": record.total_ms,
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
    }


def line_members(stored: StoredLine) -> dict[str, Any]:
    """Choose what is shown of a log line."""
    line = stored.line
    return {
        "sequence": stored.sequence,
        "invocation_id": line.invocation_id,
        "hook_id": line.hook_id,
        "at": line.at,
        "level": line.level,
        "stream": line.stream,
        "text": line.text,
    }


def hook_id_of(table: ActiveTable, name_or_id: str | None) -> str | None:
    """Return the id, by which lines are kept; a deleted hook must be asked for by it."""
    if name_or_id is None or _ULID.match(name_or_id):
        return name_or_id
    hook = table.find_hook(name_or_id)
    if hook is None:
        problem = Problem("names no hook that exists; give a deleted one's id", key="hook")
        raise Rejected(f"There is no hook `{name_or_id}` to ask for lines of.", problems=[problem])
    return hook.id


def _milliseconds(given: str) -> float:
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", given):
        raise ValueError("must be a number of milliseconds, such as 250 or 0.5")
    return float(given)


MIN_MS = Parameter(
    "min_ms",
    "Only those that took at least so many milliseconds, from request to answer.",
    {"type": "number", "minimum": 0},
    _milliseconds,
)
_INVOCATION = text("invocation", "Id of an invocation, from `Hookledger-Invocation`.")
_POSITION = ("Hookledger-Position",)

ENDPOINTS = (
    Endpoint(
        Operation(
            id="listInvocations",
            method="GET",
            path="/v1/invocations",
            summary="List execution records",
            description=(
                "Newest first; filters are combined. Written within 0.2 s of the answer. With "
                "`min_ms`, `text` or `kind=succeeded` a page may hold less than `limit` and yet "
                "have a `next`."
            ),
            group="Journal",
            scope="read:invocations",
            positioned=True,
            parameters=(
                text("trigger", "Id of a trigger."),
                text("hook", "Id of a hook, or a name it had."),
                text("commit", "The commit that ran: its full id."),
                choice("kind", "How it ended.", tuple(kind.value for kind in OutcomeKind)),
                text("caller", "Id of the client that called; `queue` for deliveries."),
                MIN_MS,
                text("text", "A part of the error's sentence."),
                _INVOCATION,
                SINCE,
                UNTIL,
                LIMIT,
                CURSOR,
            ),
            answers={200: Answered("A page of records.", {JSON: "Invocations"}, _POSITION)},
        ),
        list_invocations,
    ),
    Endpoint(
        Operation(
            id="listLogLines",
            method="GET",
            path="/v1/logs",
            summary="List what hooks wrote",
            description="Newest first; filters are combined. Secrets are masked.",
            group="Journal",
            scope="read:invocations",
            positioned=True,
            parameters=(
                _INVOCATION,
                text("hook", "Name of a hook, or its id."),
                choice("level", "Only lines of this level.", get_args(Level)),
                SINCE,
                UNTIL,
                LIMIT,
                CURSOR,
            ),
            answers={200: Answered("A page of lines.", {JSON: "Lines"}, _POSITION)},
        ),
        list_lines,
    ),
)
