"""Answer a trigger: look its hooks up, run them isolated, say what is to be honoured, record it.

The hot path touches no database: the table is in memory, the journal writes in batches. Only
non-blocking triggers wait for storage, because their answer promises that the run will happen.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from app.application.invoking.chains import run_chain
from app.application.invoking.contracts import contract_in
from app.application.invoking.envelopes import envelope_of, failure, parse_json, success
from app.application.invoking.extension_secret import may_invoke
from app.application.invoking.runs import HookRuns, Run
from app.application.invoking.versions import Versions
from app.application.ports import (
    Clock,
    DeliveryQueue,
    HookTable,
    Packages,
    Recorder,
    Runner,
    Vault,
)
from app.application.views import ActiveTable, Delivery, HookRow
from app.domain.errors import Transient
from app.domain.outcomes import Outcome, OutcomeKind
from app.domain.revisions import Position
from app.domain.triggers.contracts import TriggerContract

MIN_POSITION_WAIT = 5.0
"""Seconds an invocation waits for the position its caller demands."""

QUEUE_CALLER = "queue"

ShowRequest = Callable[[], bytes]
"""Writes what ``context.webtask`` shows of the caller's request; see ``Call.request``."""


class Answer(msgspec.Struct, frozen=True):
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
    skipped: str | None = None
    """Why no hook ran though one is enabled."""
    failed_open: str | None = None
    """Kind of the platform's failure that the trigger's ``on_error = "open"`` let pass."""

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
        packages: Packages,
        vault: Vault,
        journal: Recorder,
        queue: DeliveryQueue,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._hooks = hooks
        self._runner = runner
        self._vault = vault
        self._versions = Versions(vault, packages)
        self._runs = HookRuns(runner, self._versions, journal, clock)
        self._queue = queue
        self._clock = clock
        self._new_id = new_id

    async def invoke(
        self,
        trigger: str,
        body: bytes,
        *,
        caller: str,
        min_position: Position | None = None,
        request: ShowRequest = bytes,
    ) -> Answer:
        """Run the trigger's hooks on ``body`` (JSON text), or store the run if it is non-blocking.

        Raises ``NotFound`` for an unknown trigger, ``Rejected`` for a body that is no JSON,
        ``Transient`` when ``min_position`` is not reached in time, ``Stalled`` when a hook lacks
        a secret it requires, or its packages.
        """
        if min_position is not None and self._hooks.table.position < min_position:
            await self._await_position(min_position)
        table = self._hooks.table
        contract = contract_in(table, trigger)
        payload = parse_json(body)
        hooks = table.active_hooks(trigger)
        invocation_id = self._new_id()
        if not hooks:
            return Answer(invocation_id, None, table.position)
        first = hooks[0]
        complaint = contract.check(payload)
        if complaint is not None:
            envelope = failure({"message": complaint})
            return Answer(invocation_id, first, first.position, envelope=envelope)
        reason = contract.skip(payload)
        if reason is not None:
            return Answer(invocation_id, first, first.position, skipped=reason)
        if not contract.blocking:
            await self._queue.enqueue(Delivery(invocation_id, trigger, body, caller, self._clock()))
            return Answer(invocation_id, first, first.position, accepted=True)
        run = Run(invocation_id, caller, body, payload, request)
        if len(hooks) == 1 and contract.mode == "single":
            return await self._run_one(contract, first, run)
        return await self._run_chain(contract, hooks, run)

    async def deliver(self, delivery: Delivery) -> bool:
        """Run a stored invocation; True when it needs no further attempt.

        Raises ``Transient`` with the reason when it is to be tried again.
        """
        table = self._hooks.table
        hooks = table.active_hooks(delivery.trigger)
        if not hooks:
            return True
        contract = contract_in(table, delivery.trigger)
        payload = parse_json(delivery.payload)
        run = Run(delivery.invocation_id, QUEUE_CALLER, delivery.payload, payload)
        for step in await run_chain(self._runs, contract, hooks, run):
            if step.reading.effects is None:
                outcome = step.reading.outcome
                raise Transient(self._runs.described(step.hook, outcome) or outcome.kind)
        return True

    def may_invoke(self, trigger: str, token: str) -> str | None:
        """Return the caller's name if ``token`` is an extension secret for ``trigger``."""
        return may_invoke(self._hooks.table, self._vault, trigger, token)

    def active_versions(self) -> tuple[HookRow, ...]:
        """Return the hooks that may be invoked now, to keep workers warm for."""
        table: ActiveTable = self._hooks.table
        return tuple(hook for trigger in table.triggers for hook in table.active_hooks(trigger))

    async def warm(self) -> None:
        """Have workers ready for every enabled hook, and let go of the others."""
        hooks = [hook for hook in self.active_versions() if self._versions.can_run(hook)]
        self._versions.keep(hooks)
        await self._runner.prepare([self._versions.of(hook) for hook in hooks])

    async def _run_one(self, contract: TriggerContract, hook: HookRow, run: Run) -> Answer:
        outcome = await self._runs.run(contract, hook, run, contract.hook_payload(run.body))
        envelope, outcome = envelope_of(contract, run.payload, outcome)
        self._runs.record(contract, hook, run, outcome, len(envelope or b""))
        failed_open = None
        if envelope is None and contract.on_error == "open":
            failed_open = str(outcome.kind)
            envelope = success(contract, None, contract.effects(run.payload, None))
        return Answer(
            run.invocation_id,
            hook,
            hook.position,
            envelope=envelope,
            outcome=outcome,
            failed_open=failed_open,
        )

    async def _run_chain(
        self, contract: TriggerContract, hooks: tuple[HookRow, ...], run: Run
    ) -> Answer:
        steps = await run_chain(self._runs, contract, hooks, run)
        last = steps[-1]
        failed_open = [step for step in steps if not step.reading.outcome.kind.is_answer]
        answered = [step for step in steps if step.reading.effects is not None]
        told = [step.told() for step in steps]
        envelope: bytes | None
        if last.reading.outcome.kind is OutcomeKind.ERRORED:
            envelope = failure(last.reading.data, told)
        elif failed_open and contract.on_error == "closed":
            envelope = None
        else:
            text = answered[-1].reading.outcome.data if answered else None
            effects = answered[-1].effects if answered else contract.effects(run.payload, None)
            envelope = success(contract, text, effects, told)
        return Answer(
            run.invocation_id,
            last.hook,
            max(step.hook.position for step in steps),
            envelope=envelope,
            outcome=last.reading.outcome,
            failed_open=str(failed_open[0].reading.outcome.kind)
            if failed_open and envelope is not None
            else None,
        )

    async def _await_position(self, position: Position) -> None:
        if not await self._hooks.wait_for(position, timeout=MIN_POSITION_WAIT):
            raise Transient(
                f"Position {position} is not reached yet; the table is at "
                f"{self._hooks.table.position}. Try again, or check that the position is real."
            )
