"""``hookledger audit export``: every event that matches, as a file; with proofs, as evidence."""

from __future__ import annotations

import contextlib
import enum
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from app.application.history.evidence import WITHHELD
from app.application.views import AuditQuery, CountBy
from app.bootstrap.storage import note_access, open_existing_storage
from app.cli.audit_filters import OldestFirst, filtered
from app.cli.audit_proof import EXPORTING, write_evidence
from app.cli.output import errors
from app.cli.whole_files import whole_file
from app.domain.errors import Rejected
from app.web.history.audit_export import STYLES, exported


class FileFormat(enum.StrEnum):
    """How events are written to a file."""

    NDJSON = "ndjson"
    CSV = "csv"
    JSON = "json"


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
        write_evidence(file, wanted, sensitive=sensitive)
        return
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        open_existing_storage() as storage,
        Progress(*columns, console=errors, transient=True) as progress,
        _written(file) as written,
    ):
        total = sum(storage.audit.counts(wanted, by=CountBy.TYPE).counts.values())
        bar = progress.add_task("Exporting events", total=total)
        note_access("exported", EXPORTING, f"audit format:{style.value}")
        parts = exported(
            storage.audit,
            wanted,
            STYLES[style],
            ascending=oldest_first,
            on_rows=lambda rows: progress.advance(bar, rows),
        )
        for part in parts:
            written.write(part)


@contextlib.contextmanager
def _written(file: Path | None) -> Iterator[BinaryIO]:
    """Open a file that takes its place once it is whole, or standard output."""
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with whole_file(file, replacing=True) as written:
        yield written
