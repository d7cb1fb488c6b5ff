"""``hookledger hooks edit``: change a hook that git owns, by a commit that the server makes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import click
import orjson
import typer

from app.application.syncing.results import SyncStatus
from app.cli.connection import TokenOption, UrlOption, answered, get, post
from app.cli.output import JsonFlag, console, print_json, print_table, short
from app.cli.trust import CaFile
from app.domain.errors import Rejected
from app.domain.outcomes import SCRIPT_FILES


def edit(
    hook: Annotated[str, typer.Argument(help="Name or id of a hook that git owns.")],
    *,
    file: Annotated[
        str | None,
        typer.Option(help="File in the hook's folder, e.g. hook.toml; default: its script."),
    ] = None,
    content: Annotated[
        typer.FileText | None,
        typer.Option("--content", help="File with the new content, - for standard input."),
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Message of the commit.")
    ] = None,
    url: UrlOption,
    token: TokenOption = "",
    ca_file: CaFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Edit a file of a hook in $EDITOR, and commit it to the followed repository.

    You are the commit's author, the server is its committer. What would be refused is not
    committed, and neither is anything if the branch has moved meanwhile.
    """
    listed = answered(get(url, f"/v1/hooks/{quote(hook, safe='')}/files", token, ca_file))
    path, before = _chosen(listed, file)
    after = content.read() if content is not None else _edited(before, Path(path).suffix)
    if after is None or after == before:
        console.print("Nothing was changed, so nothing is committed.")
        return
    body = {
        "source": listed["source"],
        "expected": listed["commit"],
        "message": message or f"Change {Path(path).name} of {Path(listed['folder']).name}",
        "files": [{"path": path, "content": after}],
    }
    made = answered(post(url, "/v1/sync/commits", token, orjson.dumps(body), ca_file))
    if as_json:
        print_json(made)
        return
    print_table(
        ("CHANGE", "HOOK", "TRIGGER"),
        [(change["kind"], change["name"], change["trigger"]) for change in made["plan"]["changes"]],
        empty="No hook changes by it.",
    )
    console.print(f"Commit {short(made['commit'])} is made, {_state(made['sync'])}.", markup=False)


def _chosen(listed: dict[str, Any], file: str | None) -> tuple[str, str]:
    """Return path and content of the file to edit."""
    texts = {item["path"]: item["content"] for item in listed["files"]}
    folder = listed["folder"]
    names = [file] if file is not None else list(SCRIPT_FILES.values())
    for name in names:
        if (found := texts.get(f"{folder}/{name}")) is not None:
            return f"{folder}/{name}", found
    known = ", ".join(sorted(path.removeprefix(f"{folder}/") for path in texts))
    raise Rejected(f"There is no {' or '.join(names)} in {folder}; give --file, one of: {known}.")


def _state(sync: dict[str, Any]) -> str:
    if SyncStatus(sync["status"]).is_in_force:
        return f"and in force at position {sync['position']}"
    return f"and not in force yet ({sync['status']}): `hookledger sync status` says why"


def _edited(before: str, suffix: str) -> str | None:
    return click.edit(before, extension=suffix or ".txt")
