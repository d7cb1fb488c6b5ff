"""``hookledger invoke`` and ``invocations``: run hooks, and see what they did."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import quote

import httpx
import typer

from app.application.journal_views import ExecutionQuery, LogQuery, StatsQuery
from app.bootstrap.ambient import utc_now
from app.bootstrap.storage import open_journal_reader
from app.cli.connection import TokenOption, UrlOption, post
from app.cli.durations import Since, Until, past_option
from app.cli.logs import print_line
from app.cli.output import (
    JsonFlag,
    console,
    moment,
    print_json,
    print_table,
    short,
)
from app.cli.pages import take
from app.cli.payloads import PayloadOption, example_of, read_payload
from app.cli.trust import CaFile
from app.domain.errors import NotFound
from app.domain.outcomes import OutcomeKind
from app.web.observing.invocations import DEFAULT_WINDOW, stats_members
from app.web.observing.journal import line_members, record_members

_SHOWN_HEADERS = (
    "hookledger-invocation",
    "hookledger-hook",
    "hookledger-revision",
    "hookledger-position",
    "hookledger-failed-open",
    "server-timing",
)


group = typer.Typer(help="See what hooks did: records, one in full, figures.", no_args_is_help=True)


@group.callback()
def callback() -> None:
    """See what hooks did: records, one in full, figures."""


def invoke(
    trigger: Annotated[str, typer.Argument(help="Id of a trigger.")],
    *,
    payload: PayloadOption = None,
    url: UrlOption,
    token: TokenOption = "",
    ca_file: CaFile = None,
) -> None:
    """Invoke a trigger over HTTP and print the answer; exit code 1 if the hook did not succeed."""
    body = example_of(trigger, url, token, ca_file) if payload is None else read_payload(payload)
    path = f"/v1/triggers/{quote(trigger, safe='')}/invoke"
    answer = post(url, path, token, body, ca_file)
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


@group.command("list")
def list_records(
    *,
    trigger: Annotated[str | None, typer.Option(help="Only of this trigger.")] = None,
    hook: Annotated[str | None, typer.Option(help="Only of this hook, by name or id.")] = None,
    commit: Annotated[str | None, typer.Option(help="Only of this commit.")] = None,
    kind: Annotated[OutcomeKind | None, typer.Option(help="Only with this outcome.")] = None,
    unsuccessful: Annotated[
        bool, typer.Option("--unsuccessful", help="Only those that did not succeed.")
    ] = False,
    caller: Annotated[str | None, typer.Option(help="Only by this client, by id.")] = None,
    since: Since = None,
    until: Until = None,
    min_ms: Annotated[
        float | None, typer.Option(min=0, help="Only those that took at least so long.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="A part of the error's sentence.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=5000, help="Most records to print.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List invocations, newest first; filters are combined."""
    query = ExecutionQuery(
        trigger=trigger,
        hook=hook,
        commit=commit,
        kind=kind,
        unsuccessful=unsuccessful,
        caller=caller,
        since=since,
        until=until,
        min_ms=min_ms,
        text=text,
    )
    with open_journal_reader() as journal:
        records = list(take(lambda cursor, size: journal.executions(query, cursor, size), limit))
    if as_json:
        print_json([record_members(record) for record in records])
        return
    print_table(
        ("AT", "INVOCATION", "TRIGGER", "HOOK", "COMMIT", "OUTCOME", "RAN MS", "TOTAL MS", "ERROR"),
        [
            (
                moment(item.at),
                item.invocation_id,
                item.trigger,
                item.hook_name,
                short(item.commit),
                item.kind,
                f"{item.ran_ms:.2f}",
                f"{item.total_ms:.2f}",
                item.error,
            )
            for item in records
        ],
        empty="No invocation matches.",
    )


@group.command(short_help="Show an invocation: every run, and its log lines.")
def show(
    invocation: Annotated[str, typer.Argument(help="Id of an invocation.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show an invocation: every run, and its log lines; never payload or result."""
    with open_journal_reader() as journal:
        runs = journal.executions(ExecutionQuery(invocation_id=invocation), None, 100).items
        lines = journal.lines(LogQuery(invocation_id=invocation), None, 500).items
    if not runs and not lines:
        raise NotFound(f"No invocation `{invocation}` is recorded.")
    shown = {
        "invocation_id": invocation,
        "runs": [record_members(record) for record in reversed(runs)],
        "lines": [line_members(line) for line in reversed(lines)],
    }
    if as_json:
        print_json(shown)
        return
    for record in reversed(runs):
        members = record_members(record).items()
        print_table(
            ("MEMBER", "VALUE"), [(name, _told(value)) for name, value in members], empty=""
        )
        console.print()
    for line in reversed(lines):
        print_line(line_members(line))


@group.command(short_help="Show how many runs ended how, and how long they took.")
def stats(
    *,
    trigger: Annotated[str | None, typer.Option(help="Only of this trigger.")] = None,
    hook: Annotated[str | None, typer.Option(help="Only of this hook, by name or id.")] = None,
    commit: Annotated[str | None, typer.Option(help="Only of this commit.")] = None,
    since: Annotated[
        datetime | None, past_option("From this time on; 1h, an hour ago, if not given.")
    ] = None,
    until: Annotated[datetime | None, past_option("Before this time; now if not given.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show how many runs ended how, and how long they took, by hook and commit."""
    end = until or utc_now()
    query = StatsQuery(
        since=since or end - DEFAULT_WINDOW,
        until=end,
        trigger=trigger,
        hook=hook,
        commit=commit,
    )
    with open_journal_reader() as journal:
        found = journal.stats(query)
    if as_json:
        print_json(stats_members(found))
        return
    print_table(
        ("TRIGGER", "HOOK", "COMMIT", "RUNS", "ERRORS", "FAILURES", "P50 MS", "P95 MS", "P99 MS"),
        [
            (
                group.trigger,
                group.hook_name,
                short(group.commit),
                group.tally.runs,
                f"{group.tally.error_rate:.1%}",
                f"{group.tally.failure_rate:.1%}",
                *(f"{value:.2f}" for value in group.tally.total.percentiles),
            )
            for group in found.groups
        ],
        empty="Nothing ran in this time.",
    )


def _told(value: object) -> object:
    return moment(value) if isinstance(value, datetime) else value
