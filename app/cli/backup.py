"""``hookledger backup`` and ``restore``: copies of everything that cannot be made again."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TimeRemainingColumn

from app.bootstrap.backup import Manifest, back_up
from app.bootstrap.backup import restore as put_back
from app.cli.output import JsonFlag, console, moment, print_json, print_table
from config.settings import load_settings


def backup(
    folder: Annotated[Path, typer.Argument(help="Folder to make; must not exist, or be empty.")],
    *,
    vault: Annotated[
        bool,
        typer.Option("--vault", help="Copy the vault instead: the keys of secrets, encrypted."),
    ] = False,
    journal: Annotated[
        bool, typer.Option("--journal", help="Copy the execution records and log lines too.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Copy the databases, each as of one moment; a server may be running on them.

    The master key file is not copied: keep it in a place of its own, apart from the vault.
    """
    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=as_json) as progress:

        def tell(name: str, done: int, total: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name)
            progress.update(bars[name], completed=done, total=total)

        made = back_up(
            load_settings(),
            folder,
            version=version("hookledger"),
            vault=vault,
            journal=journal,
            progress=tell,
        )
    _print(made, as_json=as_json)
    if not as_json and not vault:
        console.print(
            "The vault and the master key are not in it: `hookledger backup --vault` copies the "
            "vault; copy the key file yourself, to another place than that."
        )


def restore(
    folder: Annotated[Path, typer.Argument(help="Folder that `hookledger backup` made.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Set aside files that are there, under other names.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a backup in place, once every file is seen to be what was backed up.

    No server may be running on the data folder.
    """
    _print(put_back(load_settings(), folder, force=force), as_json=as_json)


def _print(manifest: Manifest, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "version": manifest.version,
                "made_at": manifest.made_at,
                "position": manifest.position,
                "files": {
                    name: {"sha256": file.sha256, "bytes": file.bytes}
                    for name, file in manifest.files.items()
                },
            }
        )
        return
    print_table(
        ("FILE", "BYTES", "SHA-256"),
        [(name, file.bytes, file.sha256) for name, file in manifest.files.items()],
        empty="Nothing.",
    )
    console.print(f"As of {moment(manifest.made_at)}, position {manifest.position}.")
