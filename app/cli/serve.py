"""``hookledger serve``: run the server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer
import uvloop

from app.application.callers.manage_clients import Credentials
from app.application.callers.sign_in import LINK_MINUTES
from app.bootstrap.server import serve_until_stopped
from app.bootstrap.tls import local_certificates
from app.cli.output import console
from app.domain.triggers.catalogue import contract_of
from config.settings import load_settings

_EXAMPLE = "pre-user-registration"
_TRUST_VARIABLES = (
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "HOOKLEDGER_CA_FILE",
)


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 for a free one.")] = None,
    quickstart: Annotated[
        bool,
        typer.Option(
            "--quickstart",
            help="Make a client with every scope; print a call that works and a login link.",
        ),
    ] = False,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Serve even where hooks cannot be isolated well enough; run only hooks you trust.",
        ),
    ] = False,
    local_tls: Annotated[
        bool,
        typer.Option(
            "--local-tls", help="Serve HTTPS with a certificate made here, for this machine only."
        ),
    ] = False,
) -> None:
    """Serve until interrupted: follow the repository, run hooks, answer over HTTP.

    SIGHUP makes a server with a certificate take up the renewed files.
    """
    isolation = "best-effort" if insecure else None
    settings = load_settings(host=host, port=port, isolation=isolation)
    authority: Path | None = None
    if local_tls:
        made = local_certificates(settings)
        authority = made.authority.absolute()
        files = {"tls_cert": str(made.certificate), "tls_key": str(made.key)}
        settings = settings.model_copy(update=files)

    def started(address: str, credentials: Credentials | None, link: str | None) -> None:
        console.print(f"\nhookledger serves on {address}", style="bold", highlight=False)
        if authority is not None:
            _print_lines(*_trust(authority))
        if link is not None:
            _print_lines(f"Dashboard (opens once, within {LINK_MINUTES} minutes): {link}")
        if credentials is not None:
            _print_lines(*_quickstart(address, credentials, authority))

    uvloop.run(serve_until_stopped(settings, quickstart=quickstart, started=started))


def _trust(authority: Path) -> tuple[str, ...]:
    return (
        "Have programs trust its certificate (Node.js, Python, the command line of hookledger):",
        "  export " + " ".join(f"{name}={authority}" for name in _TRUST_VARIABLES),
    )


def _quickstart(address: str, credentials: Credentials, authority: Path | None) -> tuple[str, ...]:
    example = orjson.dumps(contract_of(_EXAMPLE).example).decode()
    trust = f"--cacert {authority} " if authority is not None else ""
    return (
        f"API token (valid until the next `--quickstart`): {credentials.access_token}",
        f"Client: {credentials.client_id} with the secret {credentials.client_secret}",
        "Try:",
        f"  curl -i {trust}{address}/v1/triggers/{_EXAMPLE}/invoke \\",
        f"    -H 'Authorization: Bearer {credentials.access_token}' \\",
        f"    -d '{example}'",
    )


def _print_lines(*lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
