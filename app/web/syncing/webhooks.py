"""``POST /webhooks/{forge}/{source}``: notices of forges, signed, and answered before any work.

The signature is checked over the raw body before anything of it is read; nothing in it is believed.
"""

from __future__ import annotations

import time
from functools import partial

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.domain.errors import HookledgerError, Unauthenticated
from app.web.admission.access import note_refused
from app.web.admission.exchange import note, reply
from app.web.protocol.endpoints import JSON, Answered, Operation, json_answer
from app.web.protocol.errors import Disconnected, TooManyRequests
from app.web.protocol.limits import only, read_body
from app.web.protocol.parameters import parse_query, path_parameter
from app.web.protocol.problems import problem_answer, unexpected_answer
from app.web.protocol.rate_limits import Buckets, Rate
from app.web.protocol.services import WebServices

BODY_LIMIT = 256 * 1024
"""Bytes; a push of thousands of commits may have more, which the regular look then finds."""
RATE = Rate(burst=30, per_second=1)
"""Authentic notices of one source."""

RECEIVE_WEBHOOK = Operation(
    id="receiveWebhook",
    method="POST",
    path="/webhooks/{forge}/{source}",
    summary="Tell that a branch was pushed",
    description=(
        "For forges: github, gitlab, gitea, forgejo, bitbucket or generic. The body must be signed "
        "by a secret configured for the source. A notice only makes the server look."
    ),
    group="Sync",
    scope=None,
    parameters=(
        path_parameter("forge", "Which forge's way of signing is used."),
        path_parameter("source", "Name of the source."),
    ),
    body="WebhookNotice",
    body_limit=BODY_LIMIT,
    answers={202: Answered("What comes of it.", {JSON: "WebhookReceipt"})},
    problems=("unauthenticated", "not-found", "too-many-requests"),
)


_ROUTE = f"{RECEIVE_WEBHOOK.method} {RECEIVE_WEBHOOK.path}"


class WebhookEndpoint:
    """The operation ``RECEIVE_WEBHOOK``."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._buckets = Buckets(RATE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        try:
            parse_query(scope["query_string"], ())
            body = await read_body(scope["headers"], receive, BODY_LIMIT)
            response = await self._answered(scope, body)
        except Disconnected:
            return
        except HookledgerError as error:
            if isinstance(error, Unauthenticated):
                note_refused(self._services.access, scope, _ROUTE, "bad signature")
            response = problem_answer(error, scope)
        except Exception as error:  # noqa: BLE001 (whatever it is, the forge gets a problem)
            response = unexpected_answer(error, scope)
        try:
            await reply(response, scope, receive, send)
        finally:
            note(scope, response.status_code, started, None)

    async def _answered(self, scope: Scope, body: bytes) -> Response:
        desk = self._services.webhooks
        forge, source = scope["path_params"]["forge"], scope["path_params"]["source"]
        headers = _headers(scope)
        kind = await self._services.read(partial(desk.admit, forge, source, headers, body))
        allowance = self._buckets.take(source)
        if allowance.wait:
            raise TooManyRequests(allowance)
        receipt = desk.receive(kind, source, headers, body)
        return json_answer({"status": receipt.status, "reason": receipt.reason}, 202)


def _headers(scope: Scope) -> dict[str, str]:
    """Decode headers; raise ``Rejected`` for one that decides and is there twice."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    for name in headers:
        if "signature" in name or "token" in name or name.startswith("webhook-"):
            only(scope["headers"], name.encode("latin-1"))
    return headers
