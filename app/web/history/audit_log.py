"""How it came about: the history of a hook, and the audit log."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from starlette.responses import Response

from app.application.views import AuditQuery, AuditRow, CountBy, Counts, Page
from app.domain.errors import NotFound, Problem, Rejected
from app.domain.revisions import Position
from app.web.history.audit_export import STYLES, export_audit, stream
from app.web.history.events import FILTERS, ORDER, audit_position, event_members, query_of
from app.web.protocol.endpoints import (
    CSV,
    JSON,
    NDJSON,
    Answered,
    Endpoint,
    Inquiry,
    Operation,
    json_answer,
)
from app.web.protocol.parameters import (
    CURSOR,
    DEFAULT_LIMIT,
    LIMIT,
    choice,
    path_parameter,
)

_POSITION = ("Hookledger-Position",)


async def hook_history(inquiry: Inquiry) -> Response:
    """Answer the events of one hook; the audit log knows the deleted ones too."""
    name_or_id, cursor = inquiry.path["id"], inquiry.values["cursor"]
    hook = inquiry.table.find_hook(name_or_id)
    newest = await audit_position(inquiry)
    query = AuditQuery(hook=hook.id if hook is not None else name_or_id)
    page = await inquiry.services.read(
        partial(inquiry.services.audit.query, query, cursor=cursor, limit=inquiry.values["limit"])
    )
    if hook is None and not page.items and cursor is None:
        raise NotFound(f"No hook `{name_or_id}` exists, and none is known to have existed.")
    return _events(page, newest)


async def query_audit(inquiry: Inquiry) -> Response:
    """Answer a page of events as JSON, or every match as a file."""
    query, values = query_of(inquiry.values), inquiry.values
    style, cursor, limit = values["format"], values["cursor"], values["limit"]
    if style != "json" and (cursor is not None or limit is not None):
        raise Rejected(
            f"`format={style}` answers every match, so it has no pages.",
            problems=[Problem("is for `format=json` only", key="limit" if limit else "cursor")],
        )
    newest = await audit_position(inquiry)
    if style != "json":
        return await stream(inquiry, query, STYLES[style], newest)
    question = partial(
        inquiry.services.audit.query,
        query,
        cursor=cursor,
        limit=limit or DEFAULT_LIMIT,
        ascending=inquiry.values["order"] == "asc",
    )
    return _events(await inquiry.services.read(question), newest)


async def count_audit(inquiry: Inquiry) -> Response:
    """Answer how many events match, by type or by day."""
    await audit_position(inquiry)
    by = CountBy(inquiry.values["by"])
    found = await inquiry.services.read(
        partial(inquiry.services.audit.counts, query_of(inquiry.values), by=by)
    )
    return json_answer(
        counts_members(found, by), headers={"hookledger-position": str(found.position)}
    )


def counts_members(found: Counts, by: CountBy) -> dict[str, Any]:
    """Choose what is shown of counts."""
    return {
        "by": by,
        "counts": found.counts,
        "total": sum(found.counts.values()),
        "complete_from": found.complete_from,
        "position": found.position,
    }


def _events(page: Page[AuditRow], newest: Position) -> Response:
    events = [event_members(row) for row in page.items]
    return json_answer(
        {"events": events, "next": page.next, "previous": page.previous},
        headers={"hookledger-position": str(newest)},
    )


_HOOK = path_parameter("id", "Name of a hook, or its id (a ULID).")
_CURSOR = dataclasses.replace(
    CURSOR, description="The `next` or `previous` of an answer to the same filters and order."
)

ENDPOINTS = (
    Endpoint(
        Operation(
            id="showHookHistory",
            method="GET",
            path="/v1/hooks/{id}/history",
            summary="List the events of a hook",
            description="Newest first. A deleted hook is known by its id, or by a name it had.",
            group="Hooks",
            scope="read:hooks",
            positioned=True,
            parameters=(_HOOK, LIMIT, _CURSOR),
            answers={200: Answered("A page of events.", {JSON: "Events"}, _POSITION)},
            problems=("not-found",),
        ),
        hook_history,
    ),
    Endpoint(
        Operation(
            id="queryAudit",
            method="GET",
            path="/v1/audit",
            summary="Query the audit log",
            description=(
                "Filters are combined. A page of events with words may be short, even empty, and "
                "yet have a `next`: the search stops after a while and is continued there. As "
                "NDJSON and CSV every match is streamed."
            ),
            group="Audit",
            scope="read:audit",
            positioned=True,
            parameters=(
                *FILTERS,
                ORDER,
                dataclasses.replace(LIMIT, default=None),
                _CURSOR,
                dataclasses.replace(
                    choice("format", "`json`, in pages, if not given; else all.", tuple(STYLES)),
                    default="json",
                ),
            ),
            answers={
                200: Answered(
                    "A page of events, or all of them.",
                    {JSON: "Events", NDJSON: "EventLine", CSV: "Table"},
                    (*_POSITION, "Content-Disposition"),
                )
            },
        ),
        query_audit,
    ),
    Endpoint(
        Operation(
            id="countAudit",
            method="GET",
            path="/v1/audit/counts",
            summary="Count events by type or by day",
            description=(
                "Filters are combined. Counting events with words stops after a while and says "
                "from which position on it is complete."
            ),
            group="Audit",
            scope="read:audit",
            positioned=True,
            parameters=(
                *FILTERS,
                dataclasses.replace(
                    choice("by", "`type` if not given; days are those of UTC.", tuple(CountBy)),
                    default=CountBy.TYPE,
                ),
            ),
            answers={200: Answered("Counts.", {JSON: "EventCounts"}, _POSITION)},
        ),
        count_audit,
    ),
    Endpoint(
        Operation(
            id="exportAudit",
            method="GET",
            path="/v1/audit/export",
            summary="Export the audit log",
            description=(
                "Every match up to now, streamed. A stream that ends early is cut off, not ended."
            ),
            group="Audit",
            scope="read:audit",
            positioned=True,
            parameters=(
                *FILTERS,
                ORDER,
                dataclasses.replace(
                    choice("format", "`ndjson` if not given.", tuple(STYLES)), default="ndjson"
                ),
            ),
            answers={
                200: Answered(
                    "All events that match.",
                    {NDJSON: "EventLine", CSV: "Table", JSON: "EventExport"},
                    ("Hookledger-Position", "Content-Disposition"),
                )
            },
        ),
        export_audit,
    ),
)
