"""``hookledger audit``: ask the history."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from app.application.ports import AuditLog
from app.application.views import AuditQuery, AuditRow
from app.bootstrap.storage import open_storage
from app.cli.output import moment, print_json, print_json_line, print_table, short
from app.web.formats import csv_head, csv_text
from app.web.history import AUDIT_COLUMNS, event_members

group = typer.Typer(help="Query the history of every change.", no_args_is_help=True)

_PAGE = 500


class Format(enum.StrEnum):
    """How events are printed."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


@group.callback()
def callback() -> None:
    """Query the history of every change."""


@group.command()
def query(
    *,
    actor: Annotated[str | None, typer.Option(help="Who did it, e.g. `source:default`.")] = None,
    hook: Annotated[str | None, typer.Option(help="Name or id of a hook.")] = None,
    trigger: Annotated[str | None, typer.Option(help="Id of a trigger.")] = None,
    type_: Annotated[
        str | None, typer.Option("--type", help="`hook.created`, or `hook` for all of them.")
    ] = None,
    commit: Annotated[str | None, typer.Option(help="Commit id, 7 digits at least.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Not before this time.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before this time.")] = None,
    text: Annotated[str | None, typer.Option(help="Words that all occur.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most events to print.")] = 50,
    style: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Print events, newest first; filters are combined."""
    wanted = AuditQuery(
        actor=actor,
        hook=hook,
        trigger=trigger,
        type=type_,
        commit=commit,
        since=_aware(since),
        until=_aware(until),
        text=text,
    )
    with open_storage() as storage:
        events = _take(storage.audit, wanted, limit)
        if style is Format.NDJSON:
            for event in events:
                print_json_line(event_members(event))
        elif style is Format.CSV:
            typer.echo(csv_head(AUDIT_COLUMNS), nl=False)
            for event in events:
                typer.echo(csv_text([event_members(event)], AUDIT_COLUMNS), nl=False)
        else:
            print_events(list(events), as_json=style is Format.JSON)


def print_events(events: Sequence[AuditRow], *, as_json: bool) -> None:
    """Print events as a table, or as one JSON list."""
    if as_json:
        print_json([event_members(event) for event in events])
        return
    print_table(
        ("POSITION", "AT", "TYPE", "HOOK", "TRIGGER", "ACTOR", "COMMIT", "REASON"),
        [
            (
                event.position,
                moment(event.at),
                event.type,
                event.hook_name,
                event.trigger,
                event.actor,
                short(event.commit),
                event.reason,
            )
            for event in events
        ],
        empty="No event matches.",
    )


def _take(audit: AuditLog, wanted: AuditQuery, limit: int) -> Iterator[AuditRow]:
    cursor = None
    while limit > 0:
        page = audit.query(wanted, cursor=cursor, limit=min(limit, _PAGE))
        yield from page.items
        limit -= len(page.items)
        cursor = page.next
        if cursor is None:
            return


def _aware(at: datetime | None) -> datetime | None:
    """Take a time without a zone as the reader's own."""
    return at.astimezone(UTC) if at is not None else None
