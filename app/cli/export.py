"""``hookledger export``: write what a server has as a folder that a server can follow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast

import httpx
import typer

from app.cli.connection import TIMEOUT_SECONDS, TokenOption, UrlOption
from app.cli.folders import write_files
from app.cli.output import JsonFlag, console, print_json
from app.cli.trust import CaFile, trusted
from app.domain.errors import Rejected, Transient
from app.domain.manifests.exports import ExportedHook, exported_triggers
from app.gitops.formats.choice import Format
from app.gitops.formats.writing import write

_PAGE = 500
_MOST_PATIENT = 60.0
_ATTEMPTS = 10
_FORMATS = ("native", "auth0-directory", "auth0-yaml")


def export(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write, or a file that ends in .zip.")
    ],
    *,
    kind: Annotated[str, typer.Option("--format", help=f"{', '.join(_FORMATS)}.")] = "native",
    trigger: Annotated[str | None, typer.Option(help="Only hooks of this trigger.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are there; others stay.")
    ] = False,
    url: UrlOption,
    token: TokenOption = "",
    ca_file: CaFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Write every hook of a running server as files that a server can follow.

    Of secrets the names are written, with the placeholder that leaves values alone. A server that
    follows a commit of the folder has the hooks as they were.
    """
    if kind not in _FORMATS:
        raise typer.BadParameter(f"must be one of {', '.join(_FORMATS)}", param_hint="--format")
    if not token:
        raise Rejected("No access token: give --token or set HOOKLEDGER_TOKEN.")
    with httpx.Client(
        base_url=url.rstrip("/"),
        headers={"authorization": f"Bearer {token}"},
        timeout=TIMEOUT_SECONDS,
        verify=trusted(ca_file),
    ) as client:
        status = console.status("Reading the hooks …")
        with status:
            hooks = []
            for number, name in enumerate(_names(client, trigger), start=1):
                status.update(f"Reading hook {number}: {name}")
                hooks.append(ExportedHook.of(_get(client, f"/v1/hooks/{name}")))
            triggers = exported_triggers(_get(client, "/v1/triggers")["triggers"])
    written = write(cast("Format", kind), hooks, triggers)
    others = write_files(output, written.files, force=force)
    if as_json:
        told = {"output": str(output), "hooks": len(hooks), "files": list(written.files)}
        print_json(told | {"warnings": written.warnings, "others": others})
        return
    console.print(f"{len(hooks)} hooks are in {output}.", markup=False, soft_wrap=True)
    for warning in written.warnings:
        console.print(f"Mind: {warning}.", markup=False, soft_wrap=True)
    if others:
        listed = ", ".join(others)
        console.print(f"Not part of it, and left: {listed}", markup=False, soft_wrap=True)


def _names(client: httpx.Client, trigger: str | None) -> Iterator[str]:
    parameters: dict[str, Any] = {"limit": _PAGE}
    if trigger is not None:
        parameters["trigger"] = trigger
    while True:
        page = _get(client, "/v1/hooks", parameters)
        yield from (hook["name"] for hook in page["hooks"])
        if page["next"] is None:
            return
        parameters["cursor"] = page["next"]


def _get(client: httpx.Client, path: str, parameters: dict[str, Any] | None = None) -> Any:
    """Ask, and ask again where the server says to wait; raise ``Rejected`` or ``Transient``."""
    pause = threading.Event()
    for _ in range(_ATTEMPTS):
        try:
            answer = client.get(path, params=parameters)
        except httpx.HTTPError as error:
            raise Transient(
                f"{client.base_url} did not answer: {error}. Is `hookledger serve` running?"
            ) from None
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            break
        pause.wait(min(float(answer.headers.get("retry-after", "1")), _MOST_PATIENT))
    if not answer.is_success:
        raise Rejected(f"{path} was answered with {answer.status_code}: {_detail(answer)}")
    return answer.json()


def _detail(answer: httpx.Response) -> str:
    try:
        told = answer.json()
        return str(told.get("detail") or told.get("title") or told)
    except (ValueError, AttributeError):
        return answer.reason_phrase
