"""Requests that say by an ``Idempotency-Key`` that they may be sent again.

Draft-ietf-httpapi-idempotency-key-header-07; the header that tells a repeated answer is Stripe's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from app.application.callers.answer_once import Answer
from app.domain.errors import HookledgerError, Problem, Rejected
from app.web.protocol.endpoints import Operation
from app.web.protocol.limits import Headers, only
from app.web.protocol.services import WebServices

KEY = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_KEY = 255
"""Characters."""

_KEY = re.compile(rb'"([!#-~]{1,%d})"|([!#-~]{1,%d})' % (MAX_KEY, MAX_KEY))
"""As a string of RFC 9651, or, as most clients write it, without quotes."""

TellError = Callable[[HookledgerError, Scope], Response]


async def answered_once(
    services: WebServices,
    operation: Operation,
    scope: Scope,
    caller: str,
    body: bytes,
    handle: Callable[[], Awaitable[Response]],
    tell: TellError,
) -> Response:
    """Ask ``handle``, or answer as it did when the request came first.

    Raises what it raises; if that becomes an answer about the request, it is kept as well, as
    ``tell`` writes it.
    """
    key = idempotency_key(scope["headers"]) if operation.repeatable else None
    if key is None:
        return await handle()
    raised: list[HookledgerError] = []

    async def carry_out() -> Answer:
        try:
            response = await handle()
        except HookledgerError as error:
            raised.append(error)
            response = tell(error, scope)
        headers = tuple((bytes(name), bytes(value)) for name, value in response.raw_headers)
        return Answer(response.status_code, headers, bytes(response.body))

    answer, again = await services.once(
        caller, key, _fingerprint(scope, body), carry_out, services.read
    )
    if raised:
        raise raised[0]
    response = Response(answer.body, answer.status)
    response.raw_headers = list(answer.headers)
    if again:
        response.headers[REPLAYED] = "true"
    return response


def idempotency_key(headers: Headers) -> str | None:
    """Return the key, if any; raise ``Rejected`` for one that is none, or for two."""
    given = only(headers, KEY.lower().encode())
    if given is None:
        return None
    found = _KEY.fullmatch(given.strip())
    if found is None:
        message = f"must be 1 to {MAX_KEY} visible ASCII characters, such as a UUID"
        raise Rejected(f"The header `{KEY}` cannot be used.", problems=[Problem(message, key=KEY)])
    return (found[1] or found[2]).decode("ascii")


def _fingerprint(scope: Scope, body: bytes) -> bytes:
    """Hash what makes a request another one; it is kept encrypted only."""
    kind = only(scope["headers"], b"content-type") or b""
    parts: tuple[Any, ...] = (
        scope["method"].encode(),
        scope["path"].encode("utf-8", "surrogatepass"),
        scope["query_string"],
        kind,
        body,
    )
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()
