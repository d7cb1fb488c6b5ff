"""How events are asked for and shown, wherever they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import anyio

from app.application.invoking.invoke import MIN_POSITION_WAIT
from app.application.views import AuditQuery, AuditRow
from app.domain.revisions import Position
from app.web.protocol.endpoints import Inquiry
from app.web.protocol.errors import NotReached
from app.web.protocol.parameters import SINCE, UNTIL, choice, position, text
from app.web.protocol.services import WebServices

AUDIT_COLUMNS = (
    "position", "at", "type", "actor", "origin", "subject", "hook", "hook_name", "trigger",
    "source", "commit", "signer", "correlation_id", "reason", "data",
)  # fmt: skip
"""Members of an event, and columns of its CSV record."""

_CATCH_UP_PAUSE = 0.005
"""Seconds between looks at an audit log that is behind the table; it is by milliseconds."""
_PATIENCE = 0.25
"""Seconds to wait for an audit log that nobody demands to be that new."""

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

    Raises ``NotReached``. Without a demand, see ``latest_audit``.
    """
    wanted = inquiry.min_position
    if wanted is None:
        return await latest_audit(inquiry.services)
    newest = await _audit_at(inquiry.services, wanted, MIN_POSITION_WAIT)
    if newest < wanted:
        raise NotReached(wanted, newest)
    return newest


async def latest_audit(services: WebServices) -> Position:
    """Return the audit log's position, as a rule not before what the table shows already.

    The log is written a moment after the table in memory has changed: whoever saw a change in the
    one asks the other for it. A log that is rebuilt is far behind, and not waited for.
    """
    return await _audit_at(services, services.hooks.table.position, _PATIENCE)


async def _audit_at(services: WebServices, wanted: Position, patience: float) -> Position:
    give_up = anyio.current_time() + patience
    while True:
        newest = await services.read(services.audit.position)
        if newest >= wanted or anyio.current_time() >= give_up:
            return newest
        await anyio.sleep(_CATCH_UP_PAUSE)
