"""Which certificates the command line's own HTTP calls trust."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated

import httpx
import typer

from app.domain.errors import Rejected

CaFile = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        envvar="HOOKLEDGER_CA_FILE",
        help="Trust servers certified by this authority (PEM), e.g. of `serve --local-tls`.",
        show_default=False,
    ),
]


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Make a context that trusts the usual authorities (``SSL_CERT_FILE`` counts) and this one."""
    context = httpx.create_ssl_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise Rejected(f"The authority {ca_file} cannot be read: {error}.") from None
    return context
