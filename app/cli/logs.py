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
from app.bootstrap.storage import open_journal_reader, open_storage
from app.cli.connection import TokenOption, UrlOption
from app.cli.output import JsonFlag, console, errors, moment, print_json_line
from app.cli.trust import CaFile, trusted
from app.domain.errors import Rejected, Transient
from app.web.observing.journal import hook_id_of, line_members

Level = Literal["debug", "info", "warning", "error"]

_SILENCE_SECONDS = 40.0
"""The server says something every 15 seconds."""
_LONGEST_PAUSE = 30.0
_POLL_SECONDS = 0.5


def logs(
    *,
    invocation: Annotated[str | None, typer.Option(help="Only of this invocation.")] = None,
    hook: Annotated[
        str | None, typer.Option(help="Only of this hook, by name; a deleted one by its id.")
    ] = None,
    trigger: Annotated[
        str | None, typer.Option(help="Only of this trigger; with --follow and --token.")
    ] = None,
    level: Annotated[Level | None, typer.Option(help="Only of this level.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most lines to print.")] = 100,
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
    if follow and token:
        given = {"invocation": invocation, "hook": hook, "trigger": trigger, "level": level}
        asked = {name: value for name, value in given.items() if value is not None}
        _follow(f"{url.rstrip('/')}/v1/logs/stream", token, asked, ca_file, as_json=as_json)
        return
    if trigger is not None:
        raise Rejected("--trigger needs --follow and an access token.")
    query = LogQuery(invocation_id=invocation, hook=_id_of(hook), level=level)
    with open_journal_reader() as journal:
        seen = 0
        pause = threading.Event()
        while True:
            page = journal.lines(query, None, limit)
            fresh = [line for line in reversed(page.items) if line.sequence > seen]
            for line in fresh:
                _print(line_members(line), as_json=as_json)
            seen = max([seen, *(line.sequence for line in fresh)])
            if not follow:
                return
            pause.wait(_POLL_SECONDS)


def _id_of(hook: str | None) -> str | None:
    if hook is None:
        return None
    with open_storage() as storage:
        return hook_id_of(storage.hooks.table, hook)


def print_line(line: Mapping[str, Any]) -> None:
    """Print a line's members for people."""
    at = line["at"] if isinstance(line["at"], datetime) else datetime.fromisoformat(line["at"])
    text = f"{moment(at)} {line['level']:<7} {line['invocation_id'] or '-'} {line['text']}"
    console.print(text.translate(_CONTROLS), markup=False, highlight=False, soft_wrap=True)


_CONTROLS = {code: "\ufffd" for code in (*range(32), 127) if code != 9}  # noqa: PLR2004 (a tab)


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
            if "data" in fields:
                name = fields.get("event", "message")
                yield name, fields.get("id", ""), orjson.loads(fields["data"])
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
