"""How commands print: tables for people, JSON for programs, errors on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table
from rich.text import Text

from app.domain.documents.packages import OnInstall, PackageSet
from app.domain.errors import HookledgerError
from app.telemetry import TERMINAL_CONTROLS
from app.web.protocol.formats import json_text

_PIPE_WIDTH = 240
"""Columns when nobody looks: a program that reads a table should not find its cells folded."""


class _Console(Console):
    """A console on which no text, a hook's for example, can steer the terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print text without its control characters, and other objects as they are."""
        shown = (printable(each) if isinstance(each, str) else each for each in objects)
        super().print(*shown, **options)


console = _Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
errors = _Console(stderr=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def print_json(value: Any) -> None:
    """Print one JSON document, indented."""
    text = orjson.dumps(value, default=dict, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)
    _echo(text.decode())


def print_json_line(value: Any) -> None:
    """Print one JSON document on one line."""
    _echo(json_text(value).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under their headings, or the sentence ``empty``.

    Cells are printed as they are: markup in a hook's name stays text.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if table.row_count:
        console.print(table, markup=False)
    else:
        console.print(empty, style="dim", markup=False)


def print_error(error: HookledgerError) -> None:
    """Print what went wrong, with every problem on a line of its own."""
    errors.print(f"hookledger: {error}", style="red", markup=False, soft_wrap=True)


def telling(status: Status) -> OnInstall:
    """Tell of installations in a line that spins."""

    def tell(number: int, total: int, packages: PackageSet) -> None:
        status.update(f"Installing packages {number}/{total}: {escape(str(packages))}")

    return tell


def short(commit: str | None) -> str:
    """Shorten a commit id for a table."""
    return commit[:12] if commit else "-"


def moment(at: datetime | str | None) -> str:
    """Write a time, or what a server wrote of one, in the reader's zone, to the second."""
    known = datetime.fromisoformat(at) if isinstance(at, str) else at
    return known.astimezone().strftime("%Y-%m-%d %H:%M:%S") if known is not None else "-"


def _echo(text: str) -> None:
    """Write text for programs as it is, for people without what steers a terminal."""
    typer.echo(printable(text) if sys.stdout.isatty() else text)


def _cell(value: object) -> str | Text:
    if isinstance(value, Text):
        return value
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def printable(text: str) -> str:
    """Return the text without control characters, which must not reach a terminal."""
    return text.translate(TERMINAL_CONTROLS)
