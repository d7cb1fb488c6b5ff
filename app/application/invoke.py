"""Answer a trigger: look the hook up, run it isolated, say what is to be honoured, record it.

The hot path touches no database: the table is in memory, the journal writes in batches. Only
non-blocking triggers wait for storage, because their answer promises that the run will happen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from app.application.ports import Clock, DeliveryQueue, HookTable, Journal, Runner, Vault
from app.application.versions import Versions
from app.application.views import Delivery, ExecutionRecord, HookRow
from app.domain.contracts import TriggerContract, contract_of
from app.domain.errors import Rejected, Stalled, Transient
from app.domain.outcomes import Call, Outcome, OutcomeKind
from app.domain.revisions import Position
from app.telemetry import mask_for

MIN_POSITION_WAIT = 5.0
"""Seconds an invocation waits for the position its caller demands."""

QUEUE_CALLER = "queue"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller of a trigger is told."""

    invocation_id: str
    hook: HookRow | None
    """The hook that answered or was asked; None if none is enabled."""
    position: Position
    """Position that produced the answer: the hook's, or the table's when no hook is enabled."""
    envelope: bytes | None = None
    """JSON text in Auth0's shape when the hook (or its payload check) answered."""
    outcome: Outcome | None = None
    """How the run ended; None if nothing ran now."""
    accepted: bool = False
    """Whether the run was stored to happen later (non-blocking triggers)."""

    @property
    def failure(self) -> Outcome | None:
        """The outcome when the platform, not the hook, failed."""
        return self.outcome if self.envelope is None else None

    @property
    def queued(self) -> float:
        """Seconds until the hook started."""
        return self.outcome.queued if self.outcome is not None else 0.0

    @property
    def ran(self) -> float:
        """Seconds the hook ran."""
        return self.outcome.ran if self.outcome is not None else 0.0


class Invoker:
    """The use case; one for the server."""

    def __init__(
        self,
        *,
        hooks: HookTable,
        runner: Runner,
        vault: Vault,
        journal: Journal,
        queue: DeliveryQueue,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._hooks = hooks
        self._runner = runner
        self._versions = Versions(vault)
        self._journal = journal
        self._queue = queue
        self._clock = clock
        self._new_id = new_id

    async def invoke(
        self, trigger: str, body: bytes, *, caller: str, min_position: Position | None = None
    ) -> Answer:
        """Run the trigger's hook on ``body`` (JSON text), or store the run if it is non-blocking.

        Raises ``NotFound`` for an unknown trigger, ``Rejected`` for a body that is no JSON,
        ``Transient`` when ``min_position`` is not reached in time, ``Stalled`` when the hook lacks
        a secret it requires.
        """
        contract = contract_of(trigger)
        payload = parse_json(body)
        if min_position is not None and self._hooks.table.position < min_position:
            await self._await_position(min_position)
        table = self._hooks.table
        hook = table.active_hook(trigger)
        invocation_id = self._new_id()
        if hook is None:
            return Answer(invocation_id, None, table.position)
        complaint = contract.check(payload)
        if complaint is not None:
            return Answer(
                invocation_id, hook, hook.position, envelope=_error({"message": complaint})
            )
        if not contract.blocking:
            await self._queue.enqueue(Delivery(invocation_id, trigger, body, caller, self._clock()))
            return Answer(invocation_id, hook, hook.position, accepted=True)
        return await self._run(contract, hook, invocation_id, body, payload, caller)

    async def deliver(self, delivery: Delivery) -> bool:
        """Run a stored invocation; True when it needs no further attempt.

        Raises ``Transient`` with the reason when it is to be tried again.
        """
        hook = self._hooks.table.active_hook(delivery.trigger)
        if hook is None:
            return True
        payload = parse_json(delivery.payload)
        outcome = (
            await self._run(
                contract_of(delivery.trigger),
                hook,
                delivery.invocation_id,
                delivery.payload,
                payload,
                QUEUE_CALLER,
            )
        ).outcome
        if outcome is not None and outcome.kind is not OutcomeKind.SUCCEEDED:
            raise Transient(self._described(hook, outcome) or outcome.kind)
        return True

    def active_versions(self) -> tuple[HookRow, ...]:
        """Return the hooks that may be invoked now, to keep workers warm for."""
        table = self._hooks.table
        found = (table.active_hook(trigger) for trigger in table.triggers)
        return tuple(hook for hook in found if hook is not None)

    async def warm(self) -> None:
        """Have workers ready for every enabled hook, and let go of the others."""
        hooks = self.active_versions()
        self._versions.keep(hooks)
        await self._runner.prepare([self._versions.of(hook) for hook in hooks])

    async def _run(
        self,
        contract: TriggerContract,
        hook: HookRow,
        invocation_id: str,
        body: bytes,
        payload: Any,
        caller: str,
    ) -> Answer:
        missing = [name for name in hook.settings["required_secrets"] if name not in hook.secrets]
        if missing:
            raise Stalled(
                f"Hook `{hook.name}` requires secrets that are not set: {', '.join(missing)}. "
                f"Set each with `hookledger secrets set {hook.name} NAME`."
            )
        started = time.perf_counter()
        call = Call(invocation_id, body, hook.settings["timeout_ms"] / 1000)
        outcome = await self._runner.run(self._versions.of(hook), call)
        envelope, outcome = answer_of(contract, payload, outcome)
        self._record(
            hook, invocation_id, caller, outcome, len(body), envelope, time.perf_counter() - started
        )
        return Answer(
            invocation_id,
            hook,
            hook.position,
            envelope=envelope,
            outcome=outcome,
        )

    def _record(
        self,
        hook: HookRow,
        invocation_id: str,
        caller: str,
        outcome: Outcome,
        request_bytes: int,
        envelope: bytes | None,
        total: float,
    ) -> None:
        self._journal.record(
            ExecutionRecord(
                invocation_id=invocation_id,
                at=self._clock(),
                trigger=hook.trigger,
                hook_id=hook.id,
                hook_name=hook.name,
                commit=hook.commit,
                position=hook.position,
                caller=caller,
                kind=outcome.kind,
                error=self._described(hook, outcome),
                queued_ms=outcome.queued * 1000,
                ran_ms=outcome.ran * 1000,
                total_ms=total * 1000,
                request_bytes=request_bytes,
                response_bytes=len(envelope or b""),
            )
        )

    def _described(self, hook: HookRow, outcome: Outcome) -> str | None:
        if outcome.kind is OutcomeKind.SUCCEEDED:
            return None
        if outcome.kind is not OutcomeKind.ERRORED:
            return outcome.detail
        error = orjson.loads(outcome.data or b"{}")
        text = ": ".join(str(error[key]) for key in ("name", "message") if error.get(key))
        return mask_for(self._versions.of(hook).open_secrets().values())(text)

    async def _await_position(self, position: Position) -> None:
        if not await self._hooks.wait_for(position, timeout=MIN_POSITION_WAIT):
            raise Transient(
                f"Position {position} is not reached yet; the table is at "
                f"{self._hooks.table.position}. Try again, or check that the position is real."
            )


def parse_json(body: bytes) -> Any:
    """Parse JSON text; raise ``Rejected`` that says where it breaks."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Rejected(f"The body is not valid JSON: {error}.") from None


def answer_of(
    contract: TriggerContract, payload: Mapping[str, Any], outcome: Outcome
) -> tuple[bytes | None, Outcome]:
    """Write Auth0's envelope (auth0-ext-compilers 6, ``lib/adapter.js``) plus ``effects``.

    The worker's bytes are parsed even where nothing of them is used: pasted in unread, they could
    close the envelope and write their own ``effects``. Returns no envelope, and the outcome as a
    violation, for bytes that are no JSON or nested deeper than can be written again.
    """
    if not outcome.kind.is_answer:
        return None, outcome
    try:
        data = orjson.loads(outcome.data) if outcome.data is not None else None
        if outcome.kind is OutcomeKind.ERRORED:
            return _error(data if isinstance(data, dict) else {"message": str(data)}), outcome
        return _success(contract, payload, outcome.data, data), outcome
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        detail = "The worker answered with something that is not JSON, or is nested too deeply."
        return None, replace(outcome, kind=OutcomeKind.VIOLATED, data=None, detail=detail)


def _success(
    contract: TriggerContract, payload: Mapping[str, Any], text: bytes | None, data: Any
) -> bytes:
    answer: dict[str, Any] = {"statusCode": 200, "headers": {}, "status": "success"}
    if text is not None and data is not None:
        answer["data"] = orjson.Fragment(text)
    elif contract.missing_result_is_object:
        answer["data"] = {}
    answer["effects"] = contract.effects(payload, data)
    return orjson.dumps(answer)


def _error(data: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"status": "error", "data": data})
