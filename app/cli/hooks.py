"""``hookledger hooks``: look at hooks, and stop one without waiting for git."""

from __future__ import annotations

from typing import Annotated

import typer

from app.application.invoking.contracts import contract_in
from app.application.managing.manage_hooks import disable_hook, enable_hook, find_hook
from app.application.views import ActiveTable, AuditQuery
from app.bootstrap.ambient import cli_meta
from app.bootstrap.storage import open_existing_storage
from app.cli.audit import print_events
from app.cli.durations import UntilOption, moment_of, moment_text
from app.cli.on_demand import Place, group_of
from app.cli.output import JsonFlag, console, moment, print_json, print_table, short
from app.domain.errors import NotFound
from app.web.triggers.hooks import hook_in, hook_members

group = typer.Typer(
    cls=group_of(
        {"edit": Place("app.cli.edit:edit", "Edit a file of a hook in $EDITOR, and commit it.")},
        "hooks ",
    ),
    help="List, show, edit, enable and disable hooks.",
    no_args_is_help=True,
)

Hook = Annotated[str, typer.Argument(help="Name or id of a hook.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        parser=moment_text,
        metavar="MOMENT",
        help="As it was then: a position, a time (also 2h: so long ago) or a commit.",
    ),
]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; stored with the event.")]


@group.command("list")
def list_hooks(
    *,
    trigger: Annotated[str | None, typer.Option(help="Only hooks of this trigger.")] = None,
    enabled: Annotated[
        bool | None, typer.Option("--enabled/--disabled", help="Only hooks in this state.")
    ] = None,
    as_of: AsOf = None,
    as_json: JsonFlag = False,
) -> None:
    """List hooks: which are enabled, and which commit produced each."""
    with open_existing_storage() as storage:
        table = storage.hooks.table if as_of is None else storage.past.as_of(as_of, key="--as-of")
        if trigger is not None:
            contract_in(table, trigger)
        rows = [
            row
            for row in sorted(table.hooks.values(), key=lambda r: (r.trigger, r.name))
            if (trigger is None or row.trigger == trigger)
            and (enabled is None or row.enabled == enabled)
        ]
    if as_json:
        print_json([hook_members(row) for row in rows])
        return
    print_table(
        ("NAME", "TRIGGER", "ENABLED", "LANGUAGE", "COMMIT", "POSITION", "UPDATED"),
        [
            (
                row.name,
                row.trigger,
                row.enabled,
                row.language,
                short(row.commit),
                row.position,
                moment(row.updated_at),
            )
            for row in rows
        ],
        empty=_none(table, as_of=as_of, filtered=trigger is not None or enabled is not None),
    )


def _none(table: ActiveTable, *, as_of: str | None, filtered: bool) -> str:
    if filtered and table.hooks:
        return "No hook matches."
    if as_of is not None:
        return f"There were no hooks at position {table.position}."
    return "No hooks. Commit one to the followed repository, then run `hookledger sync --once`."


@group.command()
def show(hook: Hook, *, as_of: AsOf = None, as_json: JsonFlag = False) -> None:
    """Show one hook with its script; secrets by name only."""
    with open_existing_storage() as storage:
        if as_of is None:
            row = find_hook(storage.hooks, hook)
        else:
            row = hook_in(storage.past.as_of(as_of, key="--as-of"), hook)
    if as_json:
        print_json(hook_members(row) | {"script": row.script})
        return
    for key, value in hook_members(row).items():
        console.print(f"{key + ':':<15}{value}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"\n{row.script}", markup=False, highlight=False, soft_wrap=True)


@group.command(short_help="Show what happened to a hook, newest first.")
def history(
    hook: Hook,
    *,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most events to print.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """Show what happened to a hook, newest first; a deleted one by its id or a name it had."""
    with open_existing_storage() as storage:
        known = storage.hooks.table.find_hook(hook)
        query = AuditQuery(hook=known.id if known is not None else hook)
        page = storage.audit.query(query, cursor=None, limit=limit)
    if known is None and not page.items:
        raise NotFound(f"No hook `{hook}` exists, and none is known to have existed.")
    print_events(page.items, as_json=as_json)


@group.command(short_help="Enable a hook again that was disabled by hand.")
def enable(hook: Hook, reason: Reason = "") -> None:
    """Enable a hook again that was disabled by hand, in place of the one that is enabled now."""
    with open_existing_storage() as storage:
        row = find_hook(storage.hooks, hook)
        position = enable_hook(storage.ledger, row.id, cli_meta(reason))
    console.print(f"`{row.name}` is enabled (position {position}).", markup=False)


@group.command()
def disable(hook: Hook, reason: Reason = "", until: UntilOption = None) -> None:
    """Disable a hook at once, whatever git says (break-glass).

    It stays disabled until that time, until its content changes in git, or `hookledger hooks
    enable`. What ends by time is seen to by a running server.
    """
    end = moment_of(until)
    with open_existing_storage() as storage:
        row = find_hook(storage.hooks, hook)
        position = disable_hook(storage.ledger, row.id, cli_meta(reason), end)
    console.print(f"`{row.name}` is disabled (position {position}).", markup=False)
