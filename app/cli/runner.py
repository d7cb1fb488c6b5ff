"""``hookledger run``: try a script, or a saved hook, on the server; nothing is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import orjson
import typer

from app.cli.connection import TokenOption, UrlOption, answered, get, post
from app.cli.output import JsonFlag, console, print_json
from app.cli.payloads import PayloadOption, example_of, read_payload
from app.cli.trust import CaFile
from app.domain.errors import Rejected
from app.domain.outcomes import SCRIPT_FILES

_LANGUAGES = {Path(file).suffix: language for language, file in SCRIPT_FILES.items()}


def run(
    what: Annotated[str, typer.Argument(help="Id of a trigger; with --saved, name of a hook.")],
    script: Annotated[
        Path | None, typer.Argument(help="The script, .py or .js; not with --saved.")
    ] = None,
    *,
    saved: Annotated[bool, typer.Option("--saved", help="Run a saved hook.")] = False,
    payload: PayloadOption = None,
    secret: Annotated[
        list[str] | None, typer.Option("--secret", "-s", help="Repeatable; NAME=VALUE.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="Repeatable; NAME=VALUE.")
    ] = None,
    url: UrlOption,
    token: TokenOption = "",
    ca_file: CaFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Run a script as a trigger's hook and print what came of it; nothing is stored.

    Exit code 1 if the hook did not succeed.
    """
    body: dict[str, Any] = {}
    if header:
        body["headers"] = _pairs(header, "--header")
    if saved:
        if script is not None or secret:
            raise Rejected("A saved hook has a script and secrets of its own; give neither.")
        path = f"/v1/hooks/{quote(what, safe='')}"
    else:
        body |= _script(script)
        if secret:
            body["secrets"] = _pairs(secret, "--secret")
        path = f"/v1/triggers/{quote(what, safe='')}"
    if payload is None:
        trigger = answered(get(url, path, token, ca_file))["trigger"] if saved else what
        sent = example_of(trigger, url, token, ca_file)
    else:
        sent = read_payload(payload)
    body["payload"] = orjson.Fragment(sent)
    answer = post(url, f"{path}/run", token, orjson.dumps(body), ca_file)
    told = answer.json()
    if as_json or not answer.is_success:
        print_json(told)
    else:
        _print(told)
    if answer.status_code != httpx.codes.OK or told["outcome"] != "succeeded":
        raise typer.Exit(1)


def _print(told: dict[str, Any]) -> None:
    for line in told["logs"]:
        console.print(f"{line['level']:<7} {line['text']}", markup=False, highlight=False)
    console.print(f"{told['outcome']} in {told['duration_ms']} ms", style="dim", highlight=False)
    if told["skipped"] is not None:
        console.print(f"In production this would be skipped: {told['skipped']}", markup=False)
    print_json(told["result"] if told["result"] is not None else told["detail"])


def _script(script: Path | None) -> dict[str, Any]:
    if script is None:
        raise Rejected("No script: give a file that ends in .py or .js, or --saved.")
    language = _LANGUAGES.get(script.suffix)
    if language is None:
        raise Rejected(f"{script} ends in neither {' nor '.join(_LANGUAGES)}.")
    try:
        return {"language": language, "script": script.read_text(encoding="utf-8-sig")}
    except OSError as error:
        raise Rejected(f"The script {script} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise Rejected(f"The script {script} is not UTF-8: {error}.") from None


def _pairs(given: list[str], option: str) -> dict[str, str]:
    pairs = dict(entry.partition("=")[::2] for entry in given)
    if any("=" not in entry for entry in given):
        raise Rejected(f"{option} must read NAME=VALUE.")
    return pairs
