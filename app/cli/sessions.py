"""``hookledger sessions``: who is signed in to the dashboard, and links that let somebody in."""

from __future__ import annotations

from typing import Annotated

import typer

from app.application.callers.sign_in import LINK_MINUTES
from app.bootstrap.people import login_link, open_sign_in
from app.bootstrap.presence import served_address
from app.cli.output import JsonFlag, console, moment, print_json, print_table
from app.domain.callers.people import Role
from config.settings import load_settings

group = typer.Typer(
    help="List and end sessions at the dashboard, or make a link to it.", no_args_is_help=True
)


@group.command()
def link(
    *, role: Annotated[Role, typer.Option(help="What it lets its bearer do.")] = Role.ADMIN
) -> None:
    """Print a link that opens the dashboard once; give it to nobody else."""
    settings = load_settings()
    with open_sign_in(settings) as sign_in:
        made = login_link(sign_in, served_address(settings), role)
    console.print(made, markup=False, highlight=False, soft_wrap=True)
    console.print(f"It works once, within {LINK_MINUTES} minutes.", style="dim")


@group.command("list")
def list_sessions(*, as_json: JsonFlag = False) -> None:
    """List the sessions that have not ended."""
    with open_sign_in() as sign_in:
        rows = sign_in.sessions()
    if as_json:
        print_json(
            [
                {
                    "id": row.id,
                    "actor": row.person.actor,
                    "name": row.person.name,
                    "role": row.person.role,
                    "way": row.person.way,
                    "began_at": row.began_at,
                    "seen_at": row.seen_at,
                    "ends_at": row.ends_at,
                    "address": row.address,
                    "agent": row.agent,
                }
                for row in rows
            ]
        )
        return
    print_table(
        ("SESSION", "WHO", "ROLE", "FROM", "USED", "ENDS"),
        [
            (
                row.id,
                row.person.actor,
                row.person.role or "client",
                row.address,
                moment(row.seen_at),
                moment(row.ends_at),
            )
            for row in rows
        ],
        empty="Nobody is signed in. `hookledger sessions link` prints a link to the dashboard.",
    )


@group.command()
def end(session_id: Annotated[str, typer.Argument(help="Id of the session.")]) -> None:
    """End a session at once; its browser must sign in again."""
    with open_sign_in() as sign_in:
        sign_in.end(session_id)
    console.print(f"Session `{session_id}` is ended.", markup=False)
