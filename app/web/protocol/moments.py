"""Reads of the past: the parameter ``as_of``, and the table it asks for."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from app.application.views import ActiveTable
from app.web.protocol.endpoints import Inquiry
from app.web.protocol.parameters import text

MOMENT = "a position, a time (RFC 3339), or a commit's id or 7 digits or more of its beginning"

AS_OF = text("as_of", f"Answer as it was then: {MOMENT}. Now, if not given.")


async def table_of(inquiry: Inquiry) -> ActiveTable:
    """Return the table asked for; raise ``Rejected`` or ``NotFound`` if there is no such moment."""
    moment = inquiry.values["as_of"]
    if moment is None:
        return inquiry.table
    return await inquiry.services.read(partial(inquiry.services.past.as_of, moment))


def shown(response: Response, table: ActiveTable) -> Response:
    """Have the answer say which position it shows."""
    response.headers["hookledger-position"] = str(table.position)
    return response
