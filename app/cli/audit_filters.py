"""The filters of the audit log as options, the same for every command that asks it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from app.application.views import AuditQuery
from app.cli.durations import Since, Until

OldestFirst = Annotated[bool, typer.Option("--oldest-first", help="In the order of events.")]

_TEXT, _POSITION = str | None, int | None

_FILTERS: dict[str, Any] = {
    "actor": Annotated[_TEXT, typer.Option(help="Who did it, e.g. `source:default`.")],
    "origin": Annotated[_TEXT, typer.Option(help="`git`, `api`, `dashboard`, `cli` or `system`.")],
    "hook": Annotated[_TEXT, typer.Option(help="Name or id of a hook.")],
    "trigger": Annotated[_TEXT, typer.Option(help="Id of a trigger.")],
    "type": Annotated[
        _TEXT,
        typer.Option(help="`hook.created`, or `hook` for all of them; several with commas."),
    ],
    "commit": Annotated[_TEXT, typer.Option(help="Commit id, 7 digits at least.")],
    "signer": Annotated[
        _TEXT, typer.Option(help="Who verifiably signed the commit: principal or fingerprint.")
    ],
    "correlation": Annotated[_TEXT, typer.Option(help="Correlation id of a request or sync.")],
    "since": Since,
    "until": Until,
    "from_position": Annotated[_POSITION, typer.Option(min=0, help="Not before this position.")],
    "to_position": Annotated[_POSITION, typer.Option(min=0, help="Not after this position.")],
    "text": Annotated[_TEXT, typer.Option(help="Words that all occur.")],
}
"""By member of ``AuditQuery``."""


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each filter, and hand it the query they make as ``wanted``."""

    @functools.wraps(command)
    def run(**values: Any) -> None:
        filters = {name: values.pop(name) for name in _FILTERS}
        command(wanted=AuditQuery(**filters), **values)

    own = inspect.signature(command, eval_str=True).parameters
    options = {name: parameter for name, parameter in own.items() if name != "wanted"}
    options |= {
        name: inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
        )
        for name, annotation in _FILTERS.items()
    }
    # The command line is made from these two, not from what `run` itself takes.
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        sorted(options.values(), key=lambda option: option.kind)
    )
    run.__annotations__ = {name: option.annotation for name, option in options.items()}
    return run
