"""``hookledger audit``: ask the history."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from app.application.ports import AuditLog
from app.application.views import AuditQuery, AuditRow, CountBy
from app.bootstrap.storage import open_existing_storage
from app.cli.audit_filters import OldestFirst, filtered
from app.cli.on_demand import Place, group_of
from app.cli.output import JsonFlag, errors, moment, print_json, print_json_line, print_table, short
from app.web.history.audit_log import counts_members
from app.web.history.events import AUDIT_COLUMNS, event_members
from app.web.protocol.formats import csv_head, csv_text

group = typer.Typer(
    cls=group_of(
        {
            "export": Place(
                "app.cli.audit_export:export", "Write every event that matches to a file."
            ),
            "verify": Place(
                "app.cli.audit_proof:verify", "Prove that nobody has edited the history."
            ),
            "verify-bundle": Place(
                "app.cli.audit_proof:verify_bundle", "Verify evidence without a server."
            ),
            "access": Place(
                "app.cli.access:access", "Print refusals, opened secrets, exports and the like."
            ),
        },
        "audit ",
    ),
    help="Query and verify the history of every change.",
    no_args_is_help=True,
)

_PAGE = 500


class Format(enum.StrEnum):
    """How events are printed."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


@group.callback()
def callback() -> None:
    """Query and verify the history of every change."""


@group.command()
@filtered
def query(
    *,
    wanted: AuditQuery,
    limit: Annotated[int, typer.Option(min=1, help="Most events to print.")] = 50,
    oldest_first: OldestFirst = False,
    style: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Print events, newest first; filters are combined."""
    with open_existing_storage() as storage:
        events = _take(storage.audit, wanted, limit, ascending=oldest_first)
        if style is Format.NDJSON:
            for event in events:
                print_json_line(event_members(event))
        elif style is Format.CSV:
            typer.echo(csv_head(AUDIT_COLUMNS), nl=False)
            for event in events:
                typer.echo(csv_text([event_members(event)], AUDIT_COLUMNS), nl=False)
        else:
            print_events(list(events), as_json=style is Format.JSON)


@group.command()
@filtered
def counts(
    *,
    wanted: AuditQuery,
    by: Annotated[CountBy, typer.Option(help="What to count by; days are those of UTC.")] = (
        CountBy.TYPE
    ),
    as_json: JsonFlag = False,
) -> None:
    """Count events by type or by day; filters are combined."""
    with open_existing_storage() as storage:
        found = storage.audit.counts(wanted, by=by)
    if as_json:
        print_json(counts_members(found, by))
        return
    print_table((by.upper(), "EVENTS"), list(found.counts.items()), empty="No event matches.")
    if found.complete_from:
        errors.print(
            f"These words are so frequent that events before position {found.complete_from} are "
            "not counted; add `--to-position` to count those.",
            style="yellow",
            soft_wrap=True,
        )


def print_events(events: Sequence[AuditRow], *, as_json: bool) -> None:
    """Print events as a table, or as one JSON list."""
    if as_json:
        print_json([event_members(event) for event in events])
        return
    print_table(
        ("POSITION", "AT", "TYPE", "HOOK", "TRIGGER", "ACTOR", "COMMIT", "SIGNER", "REASON"),
        [
            (
                event.position,
                moment(event.at),
                event.type,
                event.hook_name,
                event.trigger,
                event.actor,
                short(event.commit),
                (event.signer or {}).get("principal"),
                event.reason,
            )
            for event in events
        ],
        empty="No event matches.",
    )


def _take(
    audit: AuditLog, wanted: AuditQuery, limit: int, *, ascending: bool
) -> Iterator[AuditRow]:
    cursor = None
    while limit > 0:
        page = audit.query(wanted, cursor=cursor, limit=min(limit, _PAGE), ascending=ascending)
        yield from page.items
        limit -= len(page.items)
        cursor = page.next
        if cursor is None:
            return
