"""``hookledger queue``: invocations of non-blocking triggers that could not be delivered."""

from __future__ import annotations

from typing import Annotated

import typer

from app.bootstrap.data_directory import require_ledger
from app.bootstrap.storage import open_queue
from app.cli.output import JsonFlag, console, moment, print_json, print_table

group = typer.Typer(help="List, re-drive and discard failed deliveries.", no_args_is_help=True)


@group.command("list")
def list_dead(
    *,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most letters to print.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List dead letters: deliveries given up after their last attempt."""
    require_ledger()
    with open_queue() as queue:
        depth = queue.depth()
        page = queue.dead_letters(cursor=None, limit=limit)
    if as_json:
        print_json({"waiting": depth.waiting, "running": depth.running, "dead": page.items})
        return
    console.print(f"{depth.waiting} waiting, {depth.running} running, {depth.dead} dead")
    print_table(
        ("INVOCATION", "TRIGGER", "ACCEPTED", "ATTEMPTS", "LAST ERROR"),
        [
            (
                letter.invocation_id,
                letter.trigger,
                moment(letter.accepted_at),
                letter.attempts,
                letter.error,
            )
            for letter in page.items
        ],
        empty="No dead letters.",
    )


@group.command(short_help="Put a failed delivery back in line.")
def redrive(
    invocation_id: Annotated[str, typer.Argument(help="Id of the invocation.")],
) -> None:
    """Put a dead letter back in line, with all its attempts ahead of it."""
    require_ledger()
    with open_queue() as queue:
        queue.redrive(invocation_id)
    console.print(f"Invocation `{invocation_id}` is in line again.", markup=False)


@group.command()
def discard(
    invocation_id: Annotated[str, typer.Argument(help="Id of the invocation.")],
) -> None:
    """Delete a dead letter with its payload."""
    require_ledger()
    with open_queue() as queue:
        queue.discard(invocation_id)
    console.print(f"Invocation `{invocation_id}` is discarded.", markup=False)
