"""``hookledger keys``: master keys, under which secrets are sealed, and keys that sign tokens."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.progress import Progress

from app.bootstrap.data_directory import require_ledger
from app.bootstrap.sealed_files import files_to_seal_anew
from app.bootstrap.storage import open_age_identities, open_vault
from app.bootstrap.tokens import open_signing_keys
from app.bootstrap.transparency import open_book
from app.cli.output import JsonFlag, console, moment, print_json, print_table
from config.settings import load_settings

group = typer.Typer(help="List and rotate master keys and signing keys.", no_args_is_help=True)


@group.command("list")
def list_keys(*, as_json: JsonFlag = False) -> None:
    """List master keys by id; the newest seals."""
    require_ledger()
    with open_vault() as vault:
        keys = vault.keyring.keys
    if as_json:
        print_json([{"id": key.id, "created_at": key.created_at} for key in keys])
        return
    print_table(
        ("KEY ID", "CREATED"), [(key.id, moment(key.created_at)) for key in keys], empty="No keys."
    )


@group.command("age", short_help="List the keys that secrets in git are sealed to.")
def list_age(*, as_json: JsonFlag = False) -> None:
    """List the public keys that secrets in git are sealed to; the newest first."""
    with open_age_identities() as age:
        recipients = age.recipients()
    if as_json:
        print_json([{"recipient": key.text, "created_at": key.created_at} for key in recipients])
        return
    print_table(
        ("RECIPIENT", "CREATED"),
        [(key.text, moment(key.created_at)) for key in recipients],
        empty="No keys.",
    )


@group.command(short_help="Add a master key, and seal every other under it.")
def rotate(
    what: Annotated[
        Literal["master", "age"],
        typer.Argument(help="Which key: the master key, or the one that secrets in git are for."),
    ] = "master",
) -> None:
    """Add a master key and seal every data key under it; stored secrets need no change.

    A running server notices. Keep a copy of the key file elsewhere, then `retire` the old key.

    With `age`, add a key for secrets in git instead, and list the files that should be sealed anew;
    those sealed to a former key can still be read.
    """
    if what == "age":
        _rotate_age()
        return
    with open_vault() as vault, Progress(console=console) as progress:
        key_id = vault.keyring.rotate().id
        bar = progress.add_task("Sealing data keys again", total=None)
        vault.rewrap(lambda done, total: progress.update(bar, completed=done, total=total))
    console.print(f"Master key `{key_id}` is in use.", markup=False)


def _rotate_age() -> None:
    settings = load_settings()
    with open_age_identities(settings) as age:
        recipient = age.rotate()
        files = list(files_to_seal_anew(settings, age))
    console.print(f"Secrets are sealed to `{recipient}` from now on.", markup=False)
    if files:
        console.print("Seal the values of these files anew (`secrets seal --replace`):")
    for file in files:
        console.print(f"  {file}", markup=False, soft_wrap=True)


@group.command(short_help="Remove a master key that nothing needs any more.")
def retire(
    key_id: Annotated[str, typer.Argument(help="Id of a master key that is no longer needed.")],
) -> None:
    """Remove a master key from the key file, once nothing is sealed under it."""
    with open_vault() as vault:
        vault.retire(key_id)
    console.print(f"Master key `{key_id}` is gone.", markup=False)


@group.command("signing", short_help="List the keys that verify access tokens.")
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


@group.command("rotate-signing", short_help="Sign access tokens with a new key.")
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


@group.command("checkpoint", short_help="List the keys that verify checkpoints.")
def list_checkpoint(*, as_json: JsonFlag = False) -> None:
    """List the keys that verify checkpoints of the history; the first one signs."""
    settings = load_settings()
    with open_vault(settings) as vault, open_book(settings, vault) as book:
        keys = [str(key) for key in book.verifier_keys()]
    if as_json:
        print_json(keys)
        return
    typer.echo("\n".join(keys))


@group.command("rotate-checkpoint", short_help="Sign checkpoints with a new key.")
def rotate_checkpoint() -> None:
    """Sign checkpoints with a new key; the former goes on verifying what it signed.

    A running server notices at once. Give the new key to those who verify.
    """
    settings = load_settings()
    with open_vault(settings) as vault, open_book(settings, vault) as book:
        key = book.rotate()
    typer.echo(str(key))
