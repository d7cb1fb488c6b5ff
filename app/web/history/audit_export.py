"""The audit log as a file of any size, written page by page.

Each page is a read of its own, so an export of hours neither fills the memory nor keeps the
database from tidying up; it ends at the position that was the newest when it began.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response, StreamingResponse

from app.application.ports import AuditLog
from app.application.views import AuditQuery, AuditRow
from app.domain.revisions import Position
from app.web.history.events import (
    AUDIT_COLUMNS,
    audit_position,
    event_members,
    query_of,
)
from app.web.protocol.endpoints import CSV, JSON, NDJSON, Inquiry
from app.web.protocol.formats import Members, csv_head, csv_text, json_text, ndjson_text

EXPORT_PAGE = 500
"""Rows that are read, written and forgotten at a time."""

Write = Callable[[list[Members], bool], bytes]
"""Writes a page; told whether there were rows before."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a file is written."""

    media_type: str
    ending: str
    head: bytes
    write: Write
    tail: bytes = b""


def _csv(rows: list[Members], _more: bool) -> bytes:
    return csv_text(rows, AUDIT_COLUMNS)


def _ndjson(rows: list[Members], _more: bool) -> bytes:
    return ndjson_text(rows)


def _json(rows: list[Members], more: bool) -> bytes:
    return (b",\n" if more and rows else b"") + b",\n".join(map(json_text, rows))


STYLES: Mapping[str, Style] = {
    "ndjson": Style(NDJSON, "ndjson", b"", _ndjson),
    "csv": Style(CSV, "csv", csv_head(AUDIT_COLUMNS), _csv),
    "json": Style(JSON, "json", b'{"events":[\n', _json, b"\n]}\n"),
}


def exported(
    audit: AuditLog,
    query: AuditQuery,
    style: Style,
    *,
    ascending: bool = False,
    members: Callable[[AuditRow], Members] = event_members,
    on_rows: Callable[[int], None] = lambda _: None,
) -> Iterator[bytes]:
    """Yield a file that holds every match, part by part; tell how many rows each part has.

    Blocking. Raises ``Rejected`` before the first part.
    """
    query = dataclasses.replace(query, to_position=_end(audit, query))
    written, cursor = 0, None
    while True:
        page = audit.query(query, cursor=cursor, limit=EXPORT_PAGE, ascending=ascending)
        head = style.head if cursor is None else b""
        yield head + style.write([members(row) for row in page.items], written > 0)
        written += len(page.items)
        on_rows(len(page.items))
        cursor = page.next
        if cursor is None:
            break
    yield style.tail


async def stream(inquiry: Inquiry, query: AuditQuery, style: Style, position: Position) -> Response:
    """Answer with a file; its first part comes before the headers, so that it may yet fail.

    Who exported is noted.
    """
    read = inquiry.services.read
    ascending = inquiry.values["order"] == "asc"
    parts = exported(inquiry.services.audit, query, style, ascending=ascending)
    first = await read(partial(next, parts, b""))
    inquiry.note("exported", f"audit format:{style.ending}")

    async def body() -> AsyncIterator[bytes]:
        yield first
        while (part := await read(partial(next, parts, None))) is not None:
            yield part

    name = f"hookledger-audit-{position}.{style.ending}"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "hookledger-position": str(position),
    }
    return StreamingResponse(body(), headers=headers, media_type=style.media_type)


async def export_audit(inquiry: Inquiry) -> Response:
    """Answer every event that matches, as a file."""
    position = await audit_position(inquiry)
    style = STYLES[inquiry.values["format"]]
    return await stream(inquiry, query_of(inquiry.values), style, position)


def _end(audit: AuditLog, query: AuditQuery) -> Position:
    newest = audit.position()
    return newest if query.to_position is None else Position(min(query.to_position, newest))
