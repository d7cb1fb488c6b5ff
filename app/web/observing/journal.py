"""What hooks did: execution records, and the lines they wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, get_args

from starlette.responses import Response

from app.application.invoking.contracts import contract_in
from app.application.journal_views import ExecutionQuery, ExecutionRecord, LogQuery, StoredLine
from app.application.views import ActiveTable
from app.domain.errors import Problem, Rejected
from app.domain.outcomes import Level, OutcomeKind
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer
from app.web.protocol.parameters import LIMIT, SINCE, TWO_WAYS, UNTIL, Parameter, choice, flag, text

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
        unsuccessful=values["unsuccessful"],
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
    return json_answer({"invocations": shown, "next": page.next, "previous": page.previous})


async def list_lines(inquiry: Inquiry) -> Response:
    """Answer log lines, newest first."""
    values = inquiry.values
    query = line_query(inquiry.table, values)
    page = await inquiry.services.read(
        partial(
            inquiry.services.journal.lines, query, cursor=values["cursor"], limit=values["limit"]
        )
    )
    lines = [line_members(line) for line in page.items]
    return json_answer({"lines": lines, "next": page.next, "previous": page.previous})


def line_query(table: ActiveTable, values: Mapping[str, Any]) -> LogQuery:
    """Make a query of filters.

    Raises ``Rejected`` for a hook and ``NotFound`` for a trigger that nobody knows.
    """
    trigger = values.get("trigger")
    check_trigger(table, trigger)
    return LogQuery(
        invocation_id=values.get("invocation"),
        hook=hook_id_of(table, values.get("hook")),
        hooks=tuple(hook.id for hook in table.hooks.values() if hook.trigger == trigger)
        if trigger
        else None,
        level=values.get("level"),
        text=values.get("text"),
        since=values.get("since"),
        until=values.get("until"),
    )


def check_trigger(table: ActiveTable, trigger: str | None) -> None:
    """Raise ``NotFound``, with those there are, for a trigger whose hooks nobody can know."""
    if trigger is not None and all(hook.trigger != trigger for hook in table.hooks.values()):
        contract_in(table, trigger)


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
UNSUCCESSFUL = replace(
    flag("unsuccessful", "`true`: only those that did not succeed, however they ended."),
    default=False,
)
LINE_TEXT = text("text", "A part of the line, as it is stored: masked. Case does not matter.")
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
                text(
                    "commit", "The commit that ran: its id, or 7 digits or more of its beginning."
                ),
                choice("kind", "How it ended.", tuple(kind.value for kind in OutcomeKind)),
                UNSUCCESSFUL,
                text("caller", "Id of the client that called; `queue` for deliveries."),
                MIN_MS,
                text("text", "A part of the error's sentence. Case does not matter."),
                _INVOCATION,
                SINCE,
                UNTIL,
                LIMIT,
                TWO_WAYS,
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
            description=(
                "Newest first; filters are combined. Secrets are masked, also where `text` looks. "
                "With `text` or `trigger` a page may hold less than `limit` and yet have a `next`."
            ),
            group="Journal",
            scope="read:invocations",
            positioned=True,
            parameters=(
                _INVOCATION,
                text("hook", "Name of a hook, or its id."),
                text("trigger", "Id of a trigger: lines of the hooks that it has now."),
                choice("level", "Only lines of this level.", get_args(Level)),
                LINE_TEXT,
                SINCE,
                UNTIL,
                LIMIT,
                TWO_WAYS,
            ),
            answers={200: Answered("A page of lines.", {JSON: "Lines"}, _POSITION)},
            problems=("not-found",),
        ),
        list_lines,
    ),
)
