"""``hookledger keys``: master keys, under which secrets are sealed, and keys that sign tokens."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import Progress

from app.bootstrap.storage import open_signing_keys, open_vault
from app.cli.output import JsonFlag, console, moment, print_json, print_table

group = typer.Typer(help="List and rotate master keys and signing keys.", no_args_is_help=True)


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


@group.command("signing")
def list_signing(*, as_json: JsonFlag = False) -> None:
    """List the published keys that verify access tokens; the first one signs."""
    with open_signing_keys() as signing:
        keys = signing.published()
    if as_json:
        print_json(
            [
                {
                    "kid": key.kid,
                    "created_at": key.created_at,
                    "published_until": key.published_until,
                }
                for key in keys
            ]
        )
        return
    print_table(
        ("KEY ID", "CREATED", "PUBLISHED UNTIL"),
        [(key.kid, moment(key.created_at), moment(key.published_until)) for key in keys],
        empty="No keys.",
    )


@group.command("rotate-signing")
def rotate_signing(
    *,
    withdraw: Annotated[
        bool,
        typer.Option(
            "--withdraw", help="Stop publishing former keys: tokens they signed are refused."
        ),
    ] = False,
) -> None:
    """Sign access tokens with a new key; the former verifies until its last token has expired.

    A running server notices at once, and refuses the tokens of withdrawn keys within a minute.
    """
    with open_signing_keys() as signing:
        kid = signing.rotate(withdraw=withdraw)
    console.print(f"Signing key `{kid}` is in use.", markup=False)
