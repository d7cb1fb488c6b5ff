"""How much of a request is read, and how its headers are taken apart."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import Receive

from app.domain.errors import Problem, Rejected
from app.domain.revisions import Position
from app.web.protocol.errors import Disconnected, TooLarge

BODY_LIMIT = 200 * 1024
"""Bytes; design 3.4 says 200 kB."""

MIN_POSITION = "Hookledger-Min-Position"

_POSITION_DIGITS = 18
"""Any number of so many digits fits the 64 bits that databases count with."""

Headers = Iterable[tuple[bytes, bytes]]
"""As ASGI gives them: names in lower case."""

RawHeaders = list[tuple[bytes, bytes]]


def only(headers: Headers, name: bytes) -> bytes | None:
    """Return a header's value; raise ``Rejected`` if it is there twice.

    Of two values, a proxy before us may have judged the other one.
    """
    found = None
    for key, value in headers:
        if key == name:
            if found is not None:
                raise _not_valid(f"The header `{name.decode()}` is there more than once.", name)
            found = value
    return found


def min_position(headers: Headers) -> Position | None:
    """Return the position the caller demands; raise ``Rejected`` if it is no whole number."""
    value = only(headers, b"hookledger-min-position")
    if value is None:
        return None
    if not value.isdigit() or len(value) > _POSITION_DIGITS:
        raise _not_valid(
            f"The header `{MIN_POSITION}` must be a position: a whole number from 0 on.",
            MIN_POSITION.encode(),
        )
    return Position(int(value))


async def read_body(headers: Headers, receive: Receive, limit: int = BODY_LIMIT) -> bytes:
    """Read the body, never more than ``limit`` bytes and one chunk of it.

    Raises ``TooLarge`` as soon as it is known, before anything is read if the length is declared,
    and ``Disconnected`` if the client goes away. The HTTP server drops what is left; to close the
    connection instead would reset it under clients that are still sending, and lose the answer.
    """
    declared = only(headers, b"content-length")
    if declared is not None and _number(declared) > limit:
        raise _too_large(limit)
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _number(declared: bytes) -> int:
    if not declared.isdigit():
        raise _not_valid("The header `content-length` must be a whole number.", b"content-length")
    # Python refuses to read numbers of thousands of digits; these are too many bytes already.
    return int(declared[: _POSITION_DIGITS + 1])


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes, the most this server reads.")


def _not_valid(message: str, header: bytes) -> Rejected:
    return Rejected(message, problems=[Problem(message, key=header.decode())])
