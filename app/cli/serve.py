"""``hookledger serve``: run the server."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer
import uvloop

from app.application.manage_clients import Credentials
from app.bootstrap.server import serve_until_stopped
from app.cli.output import console
from app.domain.trigger_catalogue import contract_of
from config.settings import load_settings

_EXAMPLE = "pre-user-registration"


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 for a free one.")] = None,
    quickstart: Annotated[
        bool,
        typer.Option(
            "--quickstart", help="Make a client with every scope and print a call that works."
        ),
    ] = False,
) -> None:
    """Serve until interrupted: follow the repository, run hooks, answer over HTTP."""
    settings = load_settings(host=host, port=port)

    def started(address: str, credentials: Credentials | None) -> None:
        console.print(f"\nhookledger serves on {address}", style="bold", highlight=False)
        if credentials is not None:
            _print_quickstart(address, credentials)

    uvloop.run(serve_until_stopped(settings, quickstart=quickstart, started=started))


def _print_quickstart(address: str, credentials: Credentials) -> None:
    example = orjson.dumps(contract_of(_EXAMPLE).example).decode()
    lines = (
        f"API token (valid until the next `--quickstart`): {credentials.access_token}",
        "Try:",
        f"  curl -i {address}/v1/triggers/{_EXAMPLE}/invoke \\",
        f"    -H 'Authorization: Bearer {credentials.access_token}' \\",
        f"    -d '{example}'",
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
