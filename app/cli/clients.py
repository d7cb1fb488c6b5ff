"""``hookledger clients``: who may call the server."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from app.application.callers.manage_clients import create_client, revoke_client
from app.bootstrap.ambient import cli_meta, new_id
from app.bootstrap.storage import open_existing_storage, open_storage
from app.cli.output import JsonFlag, console, moment, print_json, print_table
from app.domain.callers.client import SCOPES

group = typer.Typer(help="Create, list and revoke clients.", no_args_is_help=True)


@group.command(short_help="Create a client and print its credentials once.")
def create(
    name: Annotated[str, typer.Argument(help="What the client is, for people.")],
    *,
    scope: Annotated[
        list[str], typer.Option("--scope", "-s", help=f"Repeatable; of {', '.join(SCOPES)}.")
    ],
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            "--metadata",
            metavar="NAME=VALUE",
            help="Repeatable; hooks of credentials-exchange see it as client.metadata.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Create a client and print its credentials, which are shown only now."""
    with open_storage() as storage:
        made = create_client(
            storage.ledger,
            name=name,
            scopes=scope,
            metadata=_pairs(metadata or []),
            meta=cli_meta(),
            new_id=new_id,
            new_secret=secrets.token_urlsafe,
        )
    shown = {
        "client_id": made.client_id,
        "client_secret": made.client_secret,
        "access_token": made.access_token,
    }
    if as_json:
        print_json(shown)
        return
    for key, value in shown.items():
        console.print(f"{key + ':':<15}{value}", markup=False, highlight=False, soft_wrap=True)
    console.print("Keep them now: they are stored as hashes and cannot be shown again.")


def _pairs(given: list[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` words; raise ``BadParameter`` for others."""
    for word in given:
        if "=" not in word:
            raise typer.BadParameter(f"`{word}` is not of the form NAME=VALUE.")
    return {name: value for name, _, value in (word.partition("=") for word in given)}


@group.command("list")
def list_clients(*, as_json: JsonFlag = False) -> None:
    """List clients with their scopes."""
    with open_existing_storage() as storage:
        rows = sorted(storage.hooks.table.clients.values(), key=lambda row: row.created_at)
    if as_json:
        print_json(
            [
                {
                    "client_id": row.id,
                    "name": row.name,
                    "scopes": sorted(row.scopes),
                    "metadata": dict(row.metadata),
                    "revoked": row.revoked,
                    "created_at": row.created_at,
                }
                for row in rows
            ]
        )
        return
    print_table(
        ("CLIENT ID", "NAME", "SCOPES", "REVOKED", "CREATED"),
        [
            (row.id, row.name, " ".join(sorted(row.scopes)), row.revoked, moment(row.created_at))
            for row in rows
        ],
        empty="No clients. Create one with `hookledger clients create NAME --scope …`.",
    )


@group.command()
def revoke(
    client_id: Annotated[str, typer.Argument(help="Id of the client.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; stored.")] = "",
) -> None:
    """Make a client's credentials worthless at once."""
    with open_existing_storage() as storage:
        position = revoke_client(storage.ledger, client_id, cli_meta(reason))
    console.print(f"Client `{client_id}` is revoked (position {position}).", markup=False)
