"""``hookledger audit access``: who was refused, and who saw what not everybody may see."""

from __future__ import annotations

import enum
from typing import Annotated, cast, get_args

import typer

from app.application.journal_views import AccessKind, AccessQuery
from app.bootstrap.storage import open_journal_reader
from app.cli.durations import Since, Until
from app.cli.output import JsonFlag, moment, print_json, print_table
from app.cli.pages import take
from app.web.admission.access import access_members

Kind = enum.StrEnum("Kind", {kind.upper(): kind for kind in get_args(AccessKind)})  # type: ignore[misc]


def access(
    *,
    kind: Annotated[Kind | None, typer.Option(help="What it was.")] = None,
    client: Annotated[str | None, typer.Option(help="Id of a client.")] = None,
    address: Annotated[str | None, typer.Option(help="Where it came from.")] = None,
    subject: Annotated[str | None, typer.Option(help="What was seen, e.g. `hook:ID`.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="Most entries to print.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """Print refusals, opened secrets, exports and the like, newest first."""
    query = AccessQuery(
        kind=None if kind is None else cast("AccessKind", kind.value),
        client=client,
        address=address,
        subject=subject,
        since=since,
        until=until,
    )
    with open_journal_reader() as journal:
        found = list(take(lambda cursor, size: journal.accesses(query, cursor, size), limit))
    if as_json:
        print_json([access_members(record) for record in found])
        return
    print_table(
        ("FIRST", "LAST", "COUNT", "KIND", "CLIENT", "ADDRESS", "ROUTE", "REASON", "SUBJECT"),
        [
            (
                moment(record.first_at),
                moment(record.last_at),
                record.count,
                record.access.kind,
                record.access.client,
                record.access.address,
                record.access.route,
                record.access.reason,
                record.access.subject,
            )
            for record in found
        ],
        empty="No access matches.",
    )
