"""How events are asked for and shown, wherever they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import anyio

from app.application.invoke import MIN_POSITION_WAIT
from app.application.views import AuditQuery, AuditRow
from app.domain.revisions import Position
from app.web.endpoints import Inquiry
from app.web.errors import NotReached
from app.web.parameters import SINCE, UNTIL, choice, position, text

AUDIT_COLUMNS = (
    "position", "at", "type", "actor", "origin", "subject", "hook", "hook_name", "trigger",
    "source", "commit", "signer", "correlation_id", "reason", "data",
)  # fmt: skip
"""Members of an event, and columns of its CSV record."""

_CATCH_UP_PAUSE = 0.005
"""Seconds between looks at an audit log that is behind the table; it is by milliseconds."""

FILTERS = (
    text("actor", "Who did it, e.g. `source:default` or a client's id."),
    text("origin", "`git`, `api`, `dashboard`, `cli` or `system`."),
    text("hook", "Id of a hook, or a name it had when it happened."),
    text("trigger", "Id of a trigger."),
    text("type", "A type such as `hook.created`, or its part before the dot; several with commas."),
    text("commit", "A commit's id, or 7 digits or more of its beginning."),
    text("signer", "Who verifiably signed the commit: the principal or the key's fingerprint."),
    text("correlation", "Correlation id of the request or sync."),
    SINCE,
    UNTIL,
    position("from_position", "Not before this position."),
    position("to_position", "Not after this position."),
    text("text", "Words that all occur in the event's text."),
)
"""Named as the members of ``AuditQuery``."""

ORDER = dataclasses.replace(
    choice("order", "`desc`, newest first, if not given; or `asc`.", ("desc", "asc")),
    default="desc",
)


def query_of(values: Mapping[str, Any]) -> AuditQuery:
    """Read the filters among the parameters."""
    return AuditQuery(**{item.name: values[item.name] for item in FILTERS})


def event_members(row: AuditRow) -> dict[str, Any]:
    """Choose what is shown of an event: all, because the audit log itself holds no secrets."""
    return {column: getattr(row, column) for column in AUDIT_COLUMNS}


async def audit_position(inquiry: Inquiry) -> Position:
    """Return the position up to which the audit log answers, once it is as new as demanded.

    The log is written a moment after the table in memory has changed, so waiting for the table
    is not enough here.
    """
    services, wanted = inquiry.services, inquiry.min_position
    give_up = anyio.current_time() + MIN_POSITION_WAIT
    while True:
        newest = await services.read(services.audit.position)
        if wanted is None or newest >= wanted:
            return newest
        if anyio.current_time() >= give_up:
            raise NotReached(wanted, newest)
        await anyio.sleep(_CATCH_UP_PAUSE)
