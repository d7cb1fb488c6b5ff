"""``hookledger keys``: the master keys under which secrets are sealed."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import Progress

from app.bootstrap.storage import open_vault
from app.cli.output import JsonFlag, console, moment, print_json, print_table

group = typer.Typer(help="List and rotate master keys.", no_args_is_help=True)


@group.command("list")
def list_keys(*, as_json: JsonFlag = False) -> None:
    """List master keys by id; the newest seals."""
    with open_vault() as vault:
        keys = vault.keyring.keys
    if as_json:
        print_json([{"id": key.id, "created_at": key.created_at} for key in keys])
        return
    print_table(
        ("KEY ID", "CREATED"), [(key.id, moment(key.created_at)) for key in keys], empty="No keys."
    )


@group.command()
def rotate() -> None:
    """Add a master key and seal every data key under it; stored secrets need no change.

    A running server notices. Keep a copy of the key file elsewhere, then `retire` the old key.
    """
    with open_vault() as vault, Progress(console=console) as progress:
        key_id = vault.keyring.rotate().id
        bar = progress.add_task("Sealing data keys again", total=None)
        vault.rewrap(lambda done, total: progress.update(bar, completed=done, total=total))
    console.print(f"Master key `{key_id}` is in use.", markup=False)


@group.command()
def retire(
    key_id: Annotated[str, typer.Argument(help="Id of a master key that is no longer needed.")],
) -> None:
    """Remove a master key from the key file, once nothing is sealed under it."""
    with open_vault() as vault:
        vault.retire(key_id)
    console.print(f"Master key `{key_id}` is gone.", markup=False)
