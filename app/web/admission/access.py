"""Who was refused, and who saw what not everybody may see: noted, and shown."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

from starlette.responses import Response
from starlette.types import Scope

from app.application.callers.access_ports import AccessLog
from app.application.journal_views import Access, AccessKind, AccessQuery, AccessRecord
from app.application.views import ActiveTable
from app.domain.callers.tokens import TokenRefused
from app.domain.errors import Forbidden, HookledgerError, Unauthenticated
from app.web.admission.auth import caller
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer
from app.web.protocol.errors import MissingScope, MissingToken
from app.web.protocol.parameters import LIMIT, SINCE, TWO_WAYS, UNTIL, choice, text
from app.web.protocol.rate_limits import address_of


def note_denied(
    log: AccessLog, table: ActiveTable, operation: Operation, scope: Scope, error: HookledgerError
) -> None:
    """Note a refusal for want of a token or a scope; other errors are none."""
    if not isinstance(error, Unauthenticated | Forbidden):
        return
    client = ""
    if isinstance(error, Forbidden):
        try:
            client = caller(table, scope["headers"]).id
        except HookledgerError:  # the token was revoked in this instant
            client = ""
    log.note(
        Access(
            "denied",
            client=client,
            address=address_of(scope),
            route=f"{operation.method} {operation.path}",
            reason=reason_of(error),
        )
    )


def note_refused(log: AccessLog, scope: Scope, route: str, reason: str, client: str = "") -> None:
    """Note a refusal at a door without access tokens; ``client`` may be a person."""
    log.note(Access("denied", client=client, address=address_of(scope), route=route, reason=reason))


def note_token_denied(
    log: AccessLog,
    table: ActiveTable,
    operation: Operation,
    scope: Scope,
    error: TokenRefused,
    client_id: str,
) -> None:
    """Note that a client's credentials were refused; who is not known is not named."""
    if error.error == "access_denied":
        log.note(
            Access(
                "denied",
                client=client_id if client_id in table.clients else "",
                address=address_of(scope),
                route=f"{operation.method} {operation.path}",
                reason="bad client credentials",
            )
        )


async def list_accesses(inquiry: Inquiry) -> Response:
    """Answer accesses, newest first."""
    values = dict(inquiry.values)
    cursor, limit = values.pop("cursor"), values.pop("limit")
    query = AccessQuery(**values)
    page = await inquiry.services.read(
        partial(inquiry.services.access.accesses, query, cursor=cursor, limit=limit)
    )
    return json_answer(
        {
            "accesses": [access_members(record) for record in page.items],
            "next": page.next,
            "previous": page.previous,
        }
    )


def access_members(record: AccessRecord) -> dict[str, Any]:
    """Choose what is shown of accesses."""
    access = record.access
    return {
        "kind": access.kind,
        "client": access.client or None,
        "address": access.address or None,
        "route": access.route or None,
        "reason": access.reason or None,
        "subject": access.subject or None,
        "count": record.count,
        "first_at": record.first_at,
        "last_at": record.last_at,
    }


def reason_of(error: HookledgerError) -> str:
    """Say in a few words why somebody was refused."""
    match error:
        case MissingToken():
            return "no token"
        case MissingScope():
            return f"missing scope {error.scope}"
        case Unauthenticated():
            return "bad token"
    return "forbidden"


ENDPOINTS = (
    Endpoint(
        Operation(
            id="listAccesses",
            method="GET",
            path="/v1/access",
            summary="List refusals, and looks at what is guarded",
            description=(
                "Newest first; filters are combined. Accesses that are alike are one entry a "
                "minute, openings of secrets one a day. Written within 0.2 s."
            ),
            group="Audit",
            scope="read:audit",
            parameters=(
                choice("kind", "What it was.", get_args(AccessKind)),
                text("client", "Id of a client."),
                text("address", "Where it came from."),
                text("subject", "What was seen, e.g. `hook:<id>` or `invocation:<id>`."),
                SINCE,
                UNTIL,
                LIMIT,
                TWO_WAYS,
            ),
            answers={200: Answered("A page of accesses.", {JSON: "Accesses"})},
        ),
        list_accesses,
    ),
)
