"""Commands that speak to a running server over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import httpx
import typer

from app.bootstrap.presence import served_address
from app.cli.trust import trusted
from app.domain.errors import Problem, Rejected, Transient
from config.settings import load_settings

TIMEOUT_SECONDS = 60

_PROBLEM_MEMBERS = {"message", "file", "line", "key"}


def _here() -> str:
    return served_address(load_settings())


def _sendable(token: str) -> str:
    """Refuse what no header can hold, such as the ellipsis of an example; the rest is the server's.

    Only the character is shown: the others may be a token's.
    """
    wrong = next((each for each in token if not "!" <= each <= "~"), None)
    if wrong is not None:
        shown = wrong if wrong.isprintable() else ascii(wrong)[1:-1]
        raise typer.BadParameter(f"holds `{shown}`, as no token does; copy it whole")
    return token


def _address(url: str | None) -> str | None:
    try:
        httpx.URL(url or "")
    except httpx.InvalidURL as error:
        raise typer.BadParameter(f"`{url}` is no address: {error}") from None
    return url


UrlOption = Annotated[
    str,
    typer.Option(
        envvar="HOOKLEDGER_URL",
        callback=_address,
        default_factory=_here,
        help="The server's address.",
        show_default="that of this data folder's server",
    ),
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="HOOKLEDGER_URL",
        callback=_address,
        help="Ask the server there, instead of using its data here.",
        show_default=False,
    ),
]
SourceOption = Annotated[
    str | None,
    typer.Option("--source", help="Which source; needed where there are several."),
]
TokenOption = Annotated[
    str,
    typer.Option(
        envvar="HOOKLEDGER_TOKEN",
        callback=_sendable,
        help="An access token.",
        show_default=False,
    ),
]


def of_source(path: str, source: str | None) -> str:
    """Write the path of a request about a source; None: the only one."""
    return f"{path}?{urlencode({'source': source})}" if source is not None else path


def post(
    url: str, path: str, token: str, body: bytes, ca_file: Path | None = None
) -> httpx.Response:
    """Send JSON; raise ``Rejected`` without a token, ``Transient`` if nobody answers."""
    return _request("POST", url, path, token, body, ca_file)


def get(url: str, path: str, token: str, ca_file: Path | None = None) -> httpx.Response:
    """Ask; raises as ``post`` does."""
    return _request("GET", url, path, token, None, ca_file)


def answered(answer: httpx.Response) -> Any:
    """Return the JSON of an answer; raise ``Rejected`` with every problem that it tells of."""
    try:
        document = answer.json()
    except ValueError:
        raise Rejected(f"The server answered {answer.status_code} without JSON.") from None
    if answer.is_success:
        return document
    problems = [
        Problem(**{key: value for key, value in item.items() if key in _PROBLEM_MEMBERS})
        for item in document.get("problems", ())
    ]
    said = document.get("detail") or document.get("title") or f"status {answer.status_code}"
    raise Rejected(str(said), problems=problems)


def _request(
    method: str, url: str, path: str, token: str, body: bytes | None, ca_file: Path | None
) -> httpx.Response:
    if not token:
        raise Rejected(
            "No access token: give --token or set HOOKLEDGER_TOKEN; `hookledger clients create "
            "NAME --scope SCOPE` prints one."
        )
    if not url.startswith(("http://", "https://")):
        raise Rejected(f"The address `{url}` must begin with http:// or https://.")
    try:
        return httpx.request(
            method,
            f"{url.rstrip('/')}{path}",
            content=body,
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
            timeout=TIMEOUT_SECONDS,
            verify=trusted(ca_file),
        )
    except httpx.HTTPError as error:
        raise Transient(f"{url} did not answer: {error}. Is `hookledger serve` running?") from None
