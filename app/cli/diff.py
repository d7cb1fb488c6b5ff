"""``hookledger diff``: what changed between two moments."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from app.application.history.table_diff import FieldChange, HookDiff, RowDiff, diff_tables
from app.bootstrap.storage import open_existing_storage
from app.cli.durations import moment_text
from app.cli.output import JsonFlag, console, print_json, printable
from app.web.history.time_travel import diff_members

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def diff(
    start: Annotated[
        str,
        typer.Argument(
            metavar="FROM",
            parser=moment_text,
            help="A position, a time (also 2h: so long ago) or a commit.",
        ),
    ],
    end: Annotated[
        str | None,
        typer.Argument(metavar="TO", parser=moment_text, help="Written alike; now if not given."),
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show what changed between two moments: hooks, scripts, settings, enablement, secrets.

    Of secrets only versions are compared; nobody can read their values.
    """
    with open_existing_storage() as storage:
        past = storage.past
        before = past.as_of(start, key="FROM")
        after = past.newest() if end is None else past.as_of(end, key="TO")
    found = diff_tables(before, after)
    if as_json:
        print_json(diff_members(found))
        return
    for hook in found.hooks:
        _print_hook(hook)
    for kind, rows in (("trigger", found.triggers), ("source", found.sources)):
        for row in rows:
            _print_row(kind, row)
    if not (found.hooks or found.triggers or found.sources):
        console.print(
            f"Nothing differs between positions {found.before} and {found.after}.", style="dim"
        )


def _print_hook(hook: HookDiff) -> None:
    _print(f"hook {hook.name} ({hook.trigger}) {hook.change}", "bold")
    _print_fields(hook.fields)
    for line in hook.script.splitlines():
        _print(f"  {line}", _STYLES.get(line[:1], ""))


def _print_row(kind: str, row: RowDiff) -> None:
    _print(f"{kind} {row.id}", "bold")
    _print_fields(row.fields)


def _print_fields(fields: tuple[FieldChange, ...]) -> None:
    for field in fields:
        _print(f"  {field.field}: {_value(field.before)} -> {_value(field.after)}", "")


def _value(value: Any) -> str:
    return "-" if value is None else str(value)


def _print(line: str, style: str) -> None:
    console.print(Text(printable(line), style=style), soft_wrap=True)
