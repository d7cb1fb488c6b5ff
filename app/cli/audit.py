"""``hookledger audit``: ask the history."""

from __future__ import annotations

import contextlib
import enum
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from app.application.history.evidence import WITHHELD
from app.application.ports import AuditLog
from app.application.views import AuditQuery, AuditRow, CountBy
from app.bootstrap.storage import open_existing_storage
from app.cli import audit_proof
from app.cli.audit_filters import filtered
from app.cli.output import JsonFlag, errors, moment, print_json, print_json_line, print_table, short
from app.cli.whole_files import whole_file
from app.domain.errors import Rejected
from app.web.history.audit_export import STYLES, exported
from app.web.history.audit_log import counts_members
from app.web.history.events import AUDIT_COLUMNS, event_members
from app.web.protocol.formats import csv_head, csv_text

group = typer.Typer(help="Query and verify the history of every change.", no_args_is_help=True)
group.command("verify")(audit_proof.verify)
group.command("verify-bundle")(audit_proof.verify_bundle)

_PAGE = 500

OldestFirst = Annotated[bool, typer.Option("--oldest-first", help="In the order of events.")]


class Format(enum.StrEnum):
    """How events are printed."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class FileFormat(enum.StrEnum):
    """How events are written to a file."""

    NDJSON = "ndjson"
    CSV = "csv"
    JSON = "json"


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
def export(
    file: Annotated[
        Path | None, typer.Argument(help="Where to; standard output if not given.")
    ] = None,
    *,
    wanted: AuditQuery,
    oldest_first: OldestFirst = False,
    style: Annotated[FileFormat, typer.Option("--format", help="How to write.")] = (
        FileFormat.NDJSON
    ),
    proof: Annotated[
        bool, typer.Option("--proof", help="Write events as stored, each with its proof.")
    ] = False,
    sensitive: Annotated[
        bool,
        typer.Option(
            "--sensitive",
            help=f"With --proof, include the content of {' and '.join(sorted(WITHHELD))} too.",
        ),
    ] = False,
) -> None:
    """Write every event that matches, however many, to a file.

    The file appears when it is whole, readable by its owner only. With --proof it is a bundle that
    a stranger verifies without a server (`audit verify-bundle`); it holds scripts.
    """
    if proof:
        if file is None:
            raise Rejected("A bundle needs a file to be written to.")
        audit_proof.write_evidence(file, wanted, sensitive=sensitive)
        return
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        open_existing_storage() as storage,
        Progress(*columns, console=errors, transient=True) as progress,
        _written(file) as written,
    ):
        total = sum(storage.audit.counts(wanted, by=CountBy.TYPE).counts.values())
        bar = progress.add_task("Exporting events", total=total)
        parts = exported(
            storage.audit,
            wanted,
            STYLES[style],
            ascending=oldest_first,
            on_rows=lambda rows: progress.advance(bar, rows),
        )
        for part in parts:
            written.write(part)


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


@contextlib.contextmanager
def _written(file: Path | None) -> Iterator[BinaryIO]:
    """Open a file that takes its place once it is whole, or standard output."""
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with whole_file(file, replacing=True) as written:
        yield written
