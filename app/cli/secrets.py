"""``hookledger secrets``: set and remove values that nobody can read back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from app.application.managing.manage_hooks import find_hook
from app.application.managing.manage_secrets import remove_secret, set_secret
from app.bootstrap.ambient import cli_meta
from app.bootstrap.storage import open_existing_storage
from app.cli.on_demand import Place, group_of
from app.cli.output import JsonFlag, console, print_json, print_table

group = typer.Typer(
    cls=group_of(
        {
            "seal": Place(
                "app.cli.seal:seal", "Seal values into a file that only the server can read."
            )
        },
        "secrets ",
    ),
    help="Set, seal, list and remove secrets of a hook.",
    no_args_is_help=True,
)

Hook = Annotated[str, typer.Argument(help="Name or id of a hook.")]
Name = Annotated[str, typer.Argument(help="Name of the secret.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; stored with the event.")]


@group.command("set")
def set_value(hook: Hook, name: Name, reason: Reason = "") -> None:
    """Set a secret; the value is asked for, or read from standard input.

    It is never an argument, which other users of the machine could see.
    """
    value = _read_value()
    with open_existing_storage() as storage:
        row = find_hook(storage.hooks, hook)
        meta = cli_meta(reason)
        position = set_secret(storage.ledger, storage.vault, row.id, name, value, meta)
    console.print(f"Secret `{name}` of `{row.name}` is set (position {position}).", markup=False)


@group.command("list", short_help="List names, and which required ones are missing.")
def list_secrets(hook: Hook, *, as_json: JsonFlag = False) -> None:
    """List names, and which required ones are missing; values cannot be shown."""
    with open_existing_storage() as storage:
        row = find_hook(storage.hooks, hook)
    required = row.settings["required_secrets"]
    names = sorted({*row.secrets, *required})
    listed = [
        {"name": name, "set": name in row.secrets, "required": name in required} for name in names
    ]
    if as_json:
        print_json(listed)
        return
    print_table(
        ("NAME", "SET", "REQUIRED"),
        [tuple(entry.values()) for entry in listed],
        empty=f"`{row.name}` has no secrets.",
    )


@group.command("rm", short_help="Remove a secret and destroy its key.")
def remove(hook: Hook, name: Name, reason: Reason = "") -> None:
    """Remove a secret and destroy its key: the value is gone for ever, from the history too."""
    with open_existing_storage() as storage:
        row = find_hook(storage.hooks, hook)
        meta = cli_meta(reason)
        position = remove_secret(storage.ledger, storage.vault, row.id, name, meta)
    console.print(f"Secret `{name}` of `{row.name}` is gone (position {position}).", markup=False)


def _read_value() -> str:
    if sys.stdin.isatty():
        value: str = typer.prompt("Value", hide_input=True, confirmation_prompt=True)
        return value
    return sys.stdin.read().removesuffix("\n")
