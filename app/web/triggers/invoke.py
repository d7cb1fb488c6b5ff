"""``POST /v1/triggers/{trigger}/invoke``: the hot path, an ASGI application without a Request.

A hook's answer, an error of its own included, is an envelope with status 200. A failure of the
platform is a problem document. Neither is ever written as the other.
"""

from __future__ import annotations

import time
from functools import lru_cache, partial
from typing import Any

import msgspec
import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.application.invoking.invoke import Answer
from app.application.invoking.run_draft import shown_request
from app.application.views import ActiveTable
from app.domain.errors import HookledgerError, Rejected, Unauthenticated
from app.domain.outcomes import LogLine, Outcome, OutcomeKind
from app.domain.revisions import Position
from app.web.admission.access import note_denied
from app.web.admission.auth import admit, bearer_token
from app.web.admission.exchange import ALWAYS
from app.web.admission.idempotency import answered_once
from app.web.protocol.endpoints import JSON, Answered, Operation
from app.web.protocol.errors import Disconnected
from app.web.protocol.limits import Headers, RawHeaders, min_position, read_body
from app.web.protocol.parameters import path_parameter
from app.web.protocol.problem_types import FAILURES
from app.web.protocol.problems import (
    OVERLOADED_RETRY_SECONDS,
    problem_answer,
    render,
    unexpected_answer,
)
from app.web.protocol.services import WebServices

_SCOPE = "invoke:triggers"

_PROVENANCE = (
    "Hookledger-Invocation",
    "Hookledger-Hook",
    "Hookledger-Revision",
    "Hookledger-Position",
    "Server-Timing",
)

INVOKE = Operation(
    id="invokeTrigger",
    method="POST",
    path="/v1/triggers/{trigger}/invoke",
    summary="Run the active hook of a trigger",
    description=(
        "The body is the trigger's payload. A blocking trigger answers 200 with the hook's "
        "envelope: decide by its `status`, because an error of the hook is an answer too. A "
        "non-blocking trigger answers 202 once the invocation is stored and will run. A failure "
        "of the platform is a problem, with the hook's last log lines in `logs`."
    ),
    group="Triggers",
    scope=_SCOPE,
    parameters=(path_parameter("trigger", "Id of the trigger, e.g. `pre-user-registration`."),),
    body="Payload",
    body_required=True,
    positioned=True,
    repeatable=True,
    answers={
        200: Answered(
            "The hook's envelope.", {JSON: "Envelope"}, (*_PROVENANCE, "Hookledger-Failed-Open")
        ),
        202: Answered("The invocation is stored and will run.", {JSON: "Accepted"}, _PROVENANCE),
        204: Answered(
            "No hook of this trigger is enabled, or the connection is not one it is for.",
            headers=(
                "Hookledger-Invocation",
                "Hookledger-Position",
                "Hookledger-Skipped",
                "Server-Timing",
            ),
        ),
    },
    problems=("not-found", "stalled", *(kind.slug for kind in FAILURES.values())),
)

_TYPE = (b"content-type", JSON.encode())


class Question(msgspec.Struct, frozen=True):
    """Who asks which trigger; the body comes after it."""

    trigger: str
    caller: str
    min_position: Position | None


class Block:
    """Headers that many answers share, as ASGI has them and as HTTP/1.1 does."""

    __slots__ = ("pairs", "text")

    def __init__(self, *pairs: tuple[bytes, bytes]) -> None:
        self.pairs = pairs
        self.text = b"".join(b"%b: %b\r\n" % pair for pair in pairs)


_OF_EVERY_ANSWER = Block(*ALWAYS)


class Reply(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    own: RawHeaders
    body: bytes
    shared: Block = _OF_EVERY_ANSWER


class InvokeEndpoint:
    """The operation ``INVOKE``."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._hooks = services.hooks
        self._access = services.access
        self._invoke = services.invoker.invoke
        self._may_invoke = services.invoker.may_invoke

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = scope["headers"]
        try:
            question = self.question(scope["path_params"]["trigger"], headers)
            if scope["query_string"]:
                raise Rejected("This route takes no query parameters.")
            body = await read_body(headers, receive)
            reply = await self._answered_once(question, scope, body, started)
        except Disconnected:
            return
        except HookledgerError as error:
            note_denied(self._access, self._hooks.table, INVOKE, scope, error)
            reply = _reply(problem_answer(error, scope))
        start = {"status": reply.status, "headers": [*reply.shared.pairs, *reply.own]}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": reply.body})

    async def _answered_once(
        self, question: Question, scope: Scope, body: bytes, started: float
    ) -> Reply:
        """Answer, or repeat the answer if the request says by a key that it came before."""

        async def handle() -> Response:
            reply = await self.answer(question, scope["headers"], body, started)
            response = Response(reply.body, reply.status)
            response.raw_headers = [*reply.shared.pairs, *reply.own]
            return response

        response = await answered_once(
            self._services, INVOKE, scope, question.caller, body, handle, problem_answer
        )
        return Reply(response.status_code, response.raw_headers, bytes(response.body), Block())

    def question(self, trigger: str, headers: Headers) -> Question:
        """Admit the caller; raise what ``admit`` and ``min_position`` raise."""
        try:
            caller = admit(self._hooks.table, headers, _SCOPE).id
        except Unauthenticated:
            holder = self._holder(trigger, headers)
            if holder is None:
                raise
            caller = holder
        return Question(trigger, caller, min_position(headers))

    @property
    def table(self) -> ActiveTable:
        """What callers are admitted by: as long as it is the same, so is every question."""
        return self._hooks.table

    async def answer(
        self, question: Question, headers: Headers, body: bytes, started: float
    ) -> Reply:
        """Answer a question that came at ``started`` (``time.perf_counter``); never raises."""
        trigger = question.trigger
        try:
            answer = await self._invoke(
                trigger,
                body,
                caller=question.caller,
                min_position=question.min_position,
                request=partial(_shown, headers, trigger),
            )
            return _told(answer, time.perf_counter() - started)
        except HookledgerError as error:
            return _reply(problem_answer(error, _place(trigger)))
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller gets a problem)
            return _reply(unexpected_answer(error, _place(trigger)))

    def _holder(self, trigger: str, headers: Headers) -> str | None:
        """Name the caller whose token is no client's but a hook's extension secret."""
        token = bearer_token(headers)
        return self._may_invoke(trigger, token) if token is not None else None


def _told(answer: Answer, total: float) -> Reply:
    """Say what came of it, what ran, and how long it took (W3C Server Timing)."""
    own = [
        (b"hookledger-invocation", header_value(answer.invocation_id)),
        (
            b"server-timing",
            b"queue;dur=%.3f, run;dur=%.3f, total;dur=%.3f"
            % (answer.queued * 1000, answer.ran * 1000, total * 1000),
        ),
    ]
    if answer.skipped is not None:
        own.append((b"hookledger-skipped", header_value(answer.skipped)))
    if answer.failed_open is not None:
        own.append((b"hookledger-failed-open", header_value(answer.failed_open)))
    status, body = 204, b""
    if answer.envelope is not None:
        status, body = 200, answer.envelope
    elif answer.accepted:
        status, body = 202, _accepted(answer)
    elif answer.failure is not None:
        problem = _failed(answer.failure, answer)
        status, body = problem.status_code, bytes(problem.body)
        own += problem.raw_headers
    if status in (200, 202):
        own += (_TYPE, (b"content-length", b"%d" % len(body)))
    hook = answer.hook
    name, commit = (hook.name, hook.commit) if hook is not None else (None, None)
    return Reply(status, own, body, _provenance(answer.position, name, commit))


@lru_cache(maxsize=4096)
def _provenance(position: Position, hook: str | None, commit: str | None) -> Block:
    """Say from which event, hook and commit answers come."""
    headers = [*ALWAYS, (b"hookledger-position", b"%d" % position)]
    if hook is not None:
        headers.append((b"hookledger-hook", header_value(hook)))
    if commit is not None:
        headers.append((b"hookledger-revision", header_value(commit)))
    return Block(*headers)


def header_value(text: str) -> bytes:
    """Encode a header's value.

    Names and ids are safe by construction; were one not, the answer must fail rather than carry a
    header that somebody else wrote.
    """
    if not text.isprintable():
        raise AssertionError(f"{text!r} cannot be a header's value")
    return text.encode("latin-1")


def _shown(headers: Headers, trigger: str) -> bytes:
    return shown_request({n.decode("latin-1"): v.decode("latin-1") for n, v in headers}, trigger)


def _reply(response: Response) -> Reply:
    return Reply(response.status_code, response.raw_headers, bytes(response.body))


def _place(trigger: str) -> Scope:
    return {"method": INVOKE.method, "path": INVOKE.path.replace("{trigger}", trigger)}


def _accepted(answer: Answer) -> bytes:
    return orjson.dumps({"invocation_id": answer.invocation_id, "status": "accepted"})


def _failed(outcome: Outcome, answer: Answer) -> Response:
    kind = FAILURES[outcome.kind]
    overloaded = outcome.kind is OutcomeKind.OVERLOADED
    return render(
        kind,
        detail=outcome.detail or f"{kind.title}.",
        instance=f"/v1/invocations?invocation={answer.invocation_id}",
        headers={"retry-after": str(OVERLOADED_RETRY_SECONDS)} if overloaded else {},
        members={
            "invocation_id": answer.invocation_id,
            "logs": [_line(line) for line in outcome.logs],
        },
    )


def _line(line: LogLine) -> dict[str, Any]:
    return {"at": line.at, "level": line.level, "stream": line.stream, "text": line.text}
