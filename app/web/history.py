"""How it came about: the history of a hook, and the audit log."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
from starlette.responses import Response, StreamingResponse

from app.application.invoke import MIN_POSITION_WAIT
from app.application.ports import AuditLog
from app.application.views import START, AuditQuery, AuditRow, Page
from app.domain.errors import NotFound, Problem, Rejected
from app.domain.revisions import Position
from app.web.endpoints import CSV, JSON, NDJSON, Answered, Endpoint, Inquiry, Operation
from app.web.errors import NotReached
from app.web.formats import csv_head, csv_text, json_answer, ndjson_text
from app.web.parameters import (
    CURSOR,
    DEFAULT_LIMIT,
    LIMIT,
    SINCE,
    UNTIL,
    choice,
    path_parameter,
    text,
)

EXPORT_PAGE = 500
"""Rows that are read, written and forgotten at a time."""

AUDIT_COLUMNS = (
    "position", "at", "type", "actor", "origin", "subject", "hook", "hook_name", "trigger",
    "source", "commit", "correlation_id", "reason", "data",
)  # fmt: skip
"""Members of an event, and columns of its CSV record."""

_CATCH_UP_PAUSE = 0.005
"""Seconds between looks at an audit log that is behind the table; it is by milliseconds."""

_POSITION = ("Hookledger-Position",)


async def hook_history(inquiry: Inquiry) -> Response:
    """Answer the events of one hook; the audit log knows the deleted ones too."""
    name_or_id, cursor = inquiry.path["id"], inquiry.values["cursor"]
    hook = inquiry.table.find_hook(name_or_id)
    position = await _audit_position(inquiry)
    query = AuditQuery(hook=hook.id if hook is not None else name_or_id)
    page = await inquiry.services.read(
        partial(inquiry.services.audit.query, query, cursor=cursor, limit=inquiry.values["limit"])
    )
    if hook is None and not page.items and cursor is None:
        raise NotFound(f"No hook `{name_or_id}` exists, and none is known to have existed.")
    return _events(page, position)


async def audit(inquiry: Inquiry) -> Response:
    """Answer events: a page as JSON, or every match as NDJSON or CSV."""
    values = dict(inquiry.values)
    style, cursor, limit = values.pop("format"), values.pop("cursor"), values.pop("limit")
    query = AuditQuery(**values)
    if style in _EXPORTS and (cursor is not None or limit is not None):
        raise Rejected(
            f"`format={style}` answers every match, so it has no pages.",
            problems=[Problem("is for `format=json` only", key="limit" if limit else "cursor")],
        )
    position = await _audit_position(inquiry)
    if style in _EXPORTS:
        return await _export(inquiry, query, _EXPORTS[style], position)
    page = await inquiry.services.read(
        partial(inquiry.services.audit.query, query, cursor=cursor, limit=limit or DEFAULT_LIMIT)
    )
    return _events(page, position)


def event_members(row: AuditRow) -> dict[str, Any]:
    """Choose what is shown of an event: all, because the audit log itself holds no secrets."""
    return {column: getattr(row, column) for column in AUDIT_COLUMNS}


@dataclass(frozen=True, slots=True)
class _Export:
    media_type: str
    ending: str

    def head(self) -> bytes:
        return csv_head(AUDIT_COLUMNS) if self.media_type == CSV else b""

    def body(self, page: Page[AuditRow]) -> bytes:
        rows = map(event_members, page.items)
        return csv_text(rows, AUDIT_COLUMNS) if self.media_type == CSV else ndjson_text(rows)


_EXPORTS = {"ndjson": _Export(NDJSON, "ndjson"), "csv": _Export(CSV, "csv")}


async def _export(
    inquiry: Inquiry, query: AuditQuery, export: _Export, position: Position
) -> Response:
    """Stream every match; the first page comes before the headers, so that it may yet fail."""
    services = inquiry.services

    def ask(cursor: str | None) -> tuple[bytes, str | None]:
        page = services.audit.query(query, cursor=cursor, limit=EXPORT_PAGE)
        return export.body(page), page.next

    first, following = await services.read(partial(ask, None))

    async def pages() -> AsyncIterator[bytes]:
        yield export.head() + first
        cursor = following
        while cursor is not None:
            body, cursor = await services.read(partial(ask, cursor))
            yield body

    name = f"hookledger-audit-{position}.{export.ending}"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "hookledger-position": str(position),
    }
    return StreamingResponse(pages(), headers=headers, media_type=export.media_type)


async def _audit_position(inquiry: Inquiry) -> Position:
    """Return the position up to which the audit log answers, once it is as new as demanded.

    The log is written a moment after the table in memory has changed, so waiting for the table
    is not enough here.
    """
    services, wanted = inquiry.services, inquiry.min_position
    give_up = anyio.current_time() + MIN_POSITION_WAIT
    while True:
        newest = await services.read(partial(_newest, services.audit))
        if wanted is None or newest >= wanted:
            return newest
        if anyio.current_time() >= give_up:
            raise NotReached(wanted, newest)
        await anyio.sleep(_CATCH_UP_PAUSE)


def _newest(audit_log: AuditLog) -> Position:
    page = audit_log.query(AuditQuery(), cursor=None, limit=1)
    return page.items[0].position if page.items else START


def _events(page: Page[AuditRow], position: Position) -> Response:
    return json_answer(
        {"events": [event_members(row) for row in page.items], "next": page.next},
        headers={"hookledger-position": str(position)},
    )


_HOOK = path_parameter("id", "Name of a hook, or its id (a ULID).")
_PAGED_ONLY = dataclasses.replace(LIMIT, default=None)
_FORMAT = dataclasses.replace(
    choice(
        "format",
        "`json`, in pages, if not given; the others hold every match.",
        ("json", *_EXPORTS),
    ),
    default="json",
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
            parameters=(_HOOK, LIMIT, CURSOR),
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
                "Events, newest first; filters are combined. As NDJSON and CSV every match is "
                "streamed; a stream that ends early is cut off, not ended."
            ),
            group="Audit",
            scope="read:audit",
            positioned=True,
            parameters=(
                text("actor", "Who did it, e.g. `source:default` or a client's id."),
                text("hook", "Id of a hook, or a name it had when it happened."),
                text("trigger", "Id of a trigger."),
                text("type", "A type such as `hook.created`, or its part before the dot."),
                text("commit", "A commit's id, or 7 digits or more of its beginning."),
                SINCE,
                UNTIL,
                text("text", "Words that all occur in the event's text."),
                _PAGED_ONLY,
                CURSOR,
                _FORMAT,
            ),
            answers={
                200: Answered(
                    "A page of events, or all of them.",
                    {JSON: "Events", NDJSON: "EventLine", CSV: "Table"},
                    (*_POSITION, "Content-Disposition"),
                )
            },
        ),
        audit,
    ),
)
