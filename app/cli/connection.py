"""Commands that speak to a running server over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import httpx
import typer

from app.cli.trust import trusted
from app.domain.errors import Rejected, Transient

TIMEOUT_SECONDS = 60

UrlOption = Annotated[str, typer.Option(envvar="HOOKLEDGER_URL", help="The server's address.")]
TokenOption = Annotated[
    str, typer.Option(envvar="HOOKLEDGER_TOKEN", help="An access token.", show_default=False)
]


def post(
    url: str, path: str, token: str, body: bytes, ca_file: Path | None = None
) -> httpx.Response:
    """Send JSON; raise ``Rejected`` without a token, ``Transient`` if nobody answers."""
    if not token:
        raise Rejected("No access token: give --token or set HOOKLEDGER_TOKEN.")
    try:
        return httpx.post(
            f"{url.rstrip('/')}{path}",
            content=body,
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
            timeout=TIMEOUT_SECONDS,
            verify=trusted(ca_file),
        )
    except httpx.HTTPError as error:
        raise Transient(f"{url} did not answer: {error}. Is `hookledger serve` running?") from None
