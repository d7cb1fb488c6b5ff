"""``hookledger logs``: what hooks wrote, from the journal; followed, from the server."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import orjson
import typer

from app.application.journal_views import LogQuery
from app.application.observing.following import LineFilter
from app.application.views import ActiveTable
from app.bootstrap.storage import open_existing_storage, open_journal_reader
from app.cli.connection import TokenOption, UrlOption
from app.cli.durations import Since, past_option
from app.cli.output import JsonFlag, console, errors, moment, print_json_line
from app.cli.pages import take
from app.cli.trust import CaFile, trusted
from app.domain.errors import Rejected, Transient
from app.journal.reader import Reader
from app.web.observing.journal import line_members, line_query

Level = Literal["debug", "info", "warning", "error"]

_SILENCE_SECONDS = 40.0
"""The server says something every 15 seconds."""
_LONGEST_PAUSE = 30.0
_POLL_SECONDS = 0.5
_PAGE = 500


def logs(
    *,
    invocation: Annotated[str | None, typer.Option(help="Only of this invocation.")] = None,
    hook: Annotated[
        str | None, typer.Option(help="Only of this hook, by name; a deleted one by its id.")
    ] = None,
    trigger: Annotated[
        str | None, typer.Option(help="Only of the hooks that this trigger has now.")
    ] = None,
    level: Annotated[Level | None, typer.Option(help="Only of this level.")] = None,
    text: Annotated[
        str | None, typer.Option(help="A part of the line; secrets are masked.")
    ] = None,
    since: Since = None,
    until: Annotated[datetime | None, past_option("Before this time; not with --follow.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=5000, help="Most lines to print.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    url: UrlOption,
    token: TokenOption = "",
    ca_file: CaFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Print what hooks wrote, oldest of the newest lines first.

    With --follow and an access token the lines come from the server at --url, from now on, and a
    connection that breaks is taken up again where it broke. Without a token they are read from the
    journal on this machine.
    """
    given = {
        "invocation": invocation,
        "hook": hook,
        "trigger": trigger,
        "level": level,
        "text": text,
    }
    if follow and until is not None:
        raise Rejected("--follow has no end; leave --until out.")
    if follow and token:
        if since is not None:
            raise Rejected("From the server lines are followed from now on; leave --since out.")
        asked = {name: value for name, value in given.items() if value is not None}
        _follow(f"{url.rstrip('/')}/v1/logs/stream", token, asked, ca_file, as_json=as_json)
        return
    hooks = _hooks() if hook is not None or trigger is not None else ActiveTable()
    query = line_query(hooks, {**given, "since": since, "until": until})
    with open_journal_reader() as journal:
        _, seen = journal.newest()  # read first: a line may come twice, never not at all
        newest = take(lambda cursor, size: journal.lines(query, cursor, size), limit)
        for stored in reversed(list(newest)):
            seen = max(seen, stored.sequence)
            _print(line_members(stored), as_json=as_json)
        if follow:
            _follow_journal(journal, seen, query, as_json=as_json)


def _hooks() -> ActiveTable:
    with open_existing_storage() as storage:
        return storage.hooks.table


def _follow_journal(journal: Reader, seen: int, query: LogQuery, *, as_json: bool) -> None:
    """Print what is stored behind the line of number ``seen``, until interrupted."""
    wanted = LineFilter(query.invocation_id, query.hook, None, query.level, query.text)
    of_trigger = None if query.hooks is None else set(query.hooks)
    pause = threading.Event()
    while True:
        stored = journal.lines_after(seen, _PAGE)
        for each in stored:
            seen = each.sequence
            if of_trigger is not None and each.line.hook_id not in of_trigger:
                continue
            if wanted.matches(each, lambda _: None):
                _print(line_members(each), as_json=as_json)
        if len(stored) < _PAGE:
            pause.wait(_POLL_SECONDS)


def print_line(line: Mapping[str, Any]) -> None:
    """Print a line's members for people."""
    at = line["at"] if isinstance(line["at"], datetime) else datetime.fromisoformat(line["at"])
    text = f"{moment(at)} {line['level']:<7} {line['invocation_id'] or '-'} {line['text']}"
    console.print(text.replace("\n", "\ufffd"), markup=False, highlight=False, soft_wrap=True)


def _print(line: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json_line(line)
    else:
        print_line(line)


def _follow(
    address: str, token: str, asked: dict[str, str], ca_file: Path | None, *, as_json: bool
) -> None:
    """Print events until interrupted; take a broken connection up where it broke."""
    last_id, pause = "", 1.0
    waiting = threading.Event()
    timeout = httpx.Timeout(_SILENCE_SECONDS, connect=10)
    with httpx.Client(timeout=timeout, verify=trusted(ca_file)) as client:
        while True:
            headers = {"authorization": f"Bearer {token}"}
            if last_id:
                headers["last-event-id"] = last_id
            try:
                with client.stream("GET", address, params=asked, headers=headers) as answer:
                    _refuse(answer)
                    for name, number, data in _events(answer.iter_lines()):
                        last_id, pause = number or last_id, 1.0
                        _tell(name, data, as_json=as_json)
                reason = "the stream ended"
            except (httpx.HTTPError, Transient) as error:
                reason = str(error) or type(error).__name__
            errors.print(f"({reason}; again in {pause:g} s)", style="dim", markup=False)
            waiting.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _refuse(answer: httpx.Response) -> None:
    """Raise what trying again cannot mend as ``Rejected``, the rest as ``Transient``."""
    if answer.is_success:
        return
    try:
        detail = str(orjson.loads(answer.read())["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        detail = f"the server answered {answer.status_code}"
    if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise Transient(detail)
    raise Rejected(detail)


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    """Take a stream apart: name, id and data of each event."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if fields:  # without data it is a place to resume from
                data = orjson.loads(fields["data"]) if "data" in fields else None
                name = fields.get("event", "message") if "data" in fields else ""
                yield name, fields.get("id", ""), data
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")


def _tell(name: str, data: Any, *, as_json: bool) -> None:
    if name == "line":
        _print(data, as_json=as_json)
    elif name == "gap":
        errors.print(f"({data['dropped']} lines are missing here)", style="yellow", markup=False)
    elif name == "end" and data["reason"] == "token":
        raise Rejected("The access token is no longer valid: it expired or was revoked.")
