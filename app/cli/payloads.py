"""What commands send to a trigger: a file, standard input, or the trigger's example."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import httpx
import orjson
import typer

from app.cli.connection import answered, get
from app.domain.errors import NotFound, Rejected
from app.domain.triggers.catalogue import CONTRACTS, OPTIONAL

PayloadOption = Annotated[
    str | None,
    typer.Option(
        "--payload",
        "-p",
        help="File with JSON, or - for standard input; default: the trigger's example.",
    ),
]


def read_payload(given: str) -> bytes:
    """Read JSON from a file, or for ``-`` from standard input; it is sent as it stands there."""
    place = "standard input" if given == "-" else given
    try:
        read = sys.stdin.buffer.read() if given == "-" else Path(given).read_bytes()
        orjson.loads(read)
    except OSError as error:
        raise Rejected(f"The payload {place} cannot be read: {error.strerror}.") from None
    except orjson.JSONDecodeError as error:
        raise Rejected(f"The payload {place} is not valid JSON: {error}.") from None
    return read


def example_of(trigger: str, url: str, token: str, ca_file: Path | None) -> bytes:
    """Return the example of a trigger as JSON; one of the user's own is asked of the server."""
    if contract := CONTRACTS.get(trigger) or OPTIONAL.get(trigger):
        return orjson.dumps(contract.example, default=dict)
    answer = get(url, "/v1/triggers", token, ca_file)
    if answer.status_code == httpx.codes.FORBIDDEN:
        raise Rejected(
            f"This token may not ask for the example of `{trigger}` (scope read:hooks); give "
            "--payload."
        )
    examples = {each["id"]: each["example"] for each in answered(answer)["triggers"]}
    if trigger not in examples:
        raise NotFound(f"There is no trigger `{trigger}`; known are: {', '.join(examples)}.")
    return orjson.dumps(examples[trigger])
