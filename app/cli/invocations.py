"""``hookledger invoke``, ``invocations`` and ``logs``: run hooks, and see what they did."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Annotated

import httpx
import orjson
import typer

from app.application.views import ExecutionQuery, LogQuery, StoredLine
from app.bootstrap.storage import open_journal_reader
from app.cli.connection import TokenOption, UrlOption, post
from app.cli.output import (
    JsonFlag,
    console,
    moment,
    print_json,
    print_json_line,
    print_table,
    short,
)
from app.cli.trust import CaFile
from app.domain.errors import Rejected
from app.domain.outcomes import OutcomeKind
from app.domain.trigger_catalogue import CONTRACTS, OPTIONAL
from app.web.journal import line_members, record_members

_FOLLOW_SECONDS = 0.5
_SHOWN_HEADERS = (
    "hookledger-hook",
    "hookledger-revision",
    "hookledger-position",
    "hookledger-failed-open",
    "server-timing",
)


def invoke(
    trigger: Annotated[str, typer.Argument(help="Id of a trigger.")],
    *,
    payload: Annotated[
        str | None,
        typer.Option(
            "--payload",
            "-p",
            help="File with JSON, or - for standard input; default: the trigger's example.",
        ),
    ] = None,
    url: UrlOption = "http://127.0.0.1:8080",
    token: TokenOption = "",
    ca_file: CaFile = None,
) -> None:
    """Invoke a trigger over HTTP and print the answer; exit code 1 if the hook did not succeed."""
    body = _payload(trigger, payload)
    answer = post(url, f"/v1/triggers/{trigger}/invoke", token, body, ca_file)
    for name in _SHOWN_HEADERS:
        if name in answer.headers:
            console.print(f"{name}: {answer.headers[name]}", style="dim", highlight=False)
    if answer.status_code == httpx.codes.NO_CONTENT:
        skipped = answer.headers.get("hookledger-skipped")
        console.print(f"Skipped: {skipped}" if skipped else f"No hook of `{trigger}` is enabled.")
        return
    shown = answer.json()
    print_json(shown)
    if not answer.is_success or shown.get("status") == "error":
        raise typer.Exit(1)


def invocations(
    *,
    trigger: Annotated[str | None, typer.Option(help="Only of this trigger.")] = None,
    hook: Annotated[str | None, typer.Option(help="Only of this hook, by name or id.")] = None,
    commit: Annotated[str | None, typer.Option(help="Only of this commit.")] = None,
    kind: Annotated[OutcomeKind | None, typer.Option(help="Only with this outcome.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most records to print.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List invocations, newest first."""
    query = ExecutionQuery(trigger=trigger, hook=hook, commit=commit, kind=kind)
    with open_journal_reader() as journal:
        page = journal.executions(query, None, limit)
    if as_json:
        print_json([record_members(item) for item in page.items])
        return
    print_table(
        ("AT", "INVOCATION", "TRIGGER", "HOOK", "COMMIT", "OUTCOME", "RAN MS", "ERROR"),
        [
            (
                moment(item.at),
                item.invocation_id,
                item.trigger,
                item.hook_name,
                short(item.commit),
                item.kind,
                f"{item.ran_ms:.2f}",
                item.error,
            )
            for item in page.items
        ],
        empty="No invocation matches.",
    )


def logs(
    *,
    invocation: Annotated[str | None, typer.Option(help="Only of this invocation.")] = None,
    hook: Annotated[str | None, typer.Option(help="Only of this hook, by id.")] = None,
    level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most lines to print.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Print what hooks wrote, oldest of the newest lines first."""
    query = LogQuery(invocation_id=invocation, hook=hook, level=level)
    with open_journal_reader() as journal:
        seen = 0
        pause = threading.Event()
        while True:
            page = journal.lines(query, None, limit)
            fresh = [line for line in reversed(page.items) if line.sequence > seen]
            for line in fresh:
                _print_line(line, as_json=as_json)
            seen = max([seen, *(line.sequence for line in fresh)])
            if not follow:
                return
            pause.wait(_FOLLOW_SECONDS)


def _print_line(stored: StoredLine, *, as_json: bool) -> None:
    if as_json:
        print_json_line(line_members(stored))
        return
    line = stored.line
    text = f"{moment(line.at)} {line.level:<7} {line.invocation_id or '-'} {line.text}"
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _payload(trigger: str, payload: str | None) -> bytes:
    if payload is None:
        contract = CONTRACTS.get(trigger) or OPTIONAL.get(trigger)
        if contract is None:
            raise Rejected("The command knows no example for this trigger; give --payload.")
        return orjson.dumps(contract.example)
    if payload == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(payload).read_bytes()
    except OSError as error:
        raise Rejected(f"The payload cannot be read: {error}.") from None
