"""One run of one hook: called with what it may see, recorded with what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson

from app.application.invoking.recordings import content_of
from app.application.invoking.versions import Versions
from app.application.journal_views import ExecutionRecord
from app.application.ports import Clock, Recorder, Runner
from app.application.views import HookRow
from app.domain.errors import Stalled
from app.domain.outcomes import Call, Outcome, OutcomeKind
from app.domain.triggers.contracts import TriggerContract

_MAX_CLASS = 100


class Run(msgspec.Struct, frozen=True):
    """An invocation: what was asked, by whom."""

    invocation_id: str
    caller: str
    body: bytes
    """JSON text of the payload."""
    payload: Any
    request: Callable[[], bytes] = bytes
    """Writes ``Call.request``; asked only for a hook that is shown it."""
    started: float = msgspec.field(default_factory=time.perf_counter)


class HookRuns:
    """Runs hooks of the table and records each run."""

    def __init__(self, runner: Runner, versions: Versions, journal: Recorder, clock: Clock) -> None:
        self._runner = runner
        self._versions = versions
        self._journal = journal
        self._clock = clock

    async def run(
        self, contract: TriggerContract, hook: HookRow, run: Run, payload: bytes
    ) -> Outcome:
        """Run a hook on the JSON object ``payload``.

        Raises ``Stalled`` when it lacks a secret that it requires, unless failures are to pass.
        """
        missing = [name for name in hook.settings["required_secrets"] if name not in hook.secrets]
        if missing:
            sentence = (
                f"Hook `{hook.name}` requires secrets that are not set: {', '.join(missing)}. "
                f"Set each with `hookledger secrets set {hook.name} NAME`."
            )
            if contract.on_error == "closed":
                raise Stalled(sentence)
            return Outcome(OutcomeKind.CRASHED, detail=sentence)
        request = run.request() if hook.language == "node" else b""
        timeout = hook.settings["timeout_ms"] / 1000
        call = Call(run.invocation_id, payload, timeout, request)
        return await self._runner.run(self._versions.of(hook), call)

    def record(
        self,
        contract: TriggerContract,
        hook: HookRow,
        run: Run,
        outcome: Outcome,
        response_bytes: int,
    ) -> None:
        """Write the run into the journal, and let no worker go on that broke its protocol."""
        if outcome.kind is OutcomeKind.VIOLATED:
            self._runner.distrust(self._versions.of(hook), outcome)
        error_class, error = self._error_of(hook, outcome)
        content = None
        if contract.record != "none":
            content = content_of(contract, run.payload, outcome, self._versions.mask_of(hook))
        self._journal.record(
            ExecutionRecord(
                invocation_id=run.invocation_id,
                at=self._clock(),
                trigger=hook.trigger,
                hook_id=hook.id,
                hook_name=hook.name,
                commit=hook.commit,
                position=hook.position,
                caller=run.caller,
                kind=outcome.kind,
                error=error,
                queued_ms=outcome.queued * 1000,
                ran_ms=outcome.ran * 1000,
                total_ms=(time.perf_counter() - run.started) * 1000,
                request_bytes=len(run.body),
                response_bytes=response_bytes,
                error_class=error_class,
                content=content,
            )
        )

    def described(self, hook: HookRow, outcome: Outcome) -> str | None:
        """Say in a sentence what went wrong, without secrets; None if nothing did."""
        return self._error_of(hook, outcome)[1]

    def _error_of(self, hook: HookRow, outcome: Outcome) -> tuple[str | None, str | None]:
        """Return the error's class, if the hook raised one, and the sentence."""
        if outcome.kind is OutcomeKind.SUCCEEDED:
            return None, None
        if outcome.kind is not OutcomeKind.ERRORED:
            return None, outcome.detail
        error = orjson.loads(outcome.data or b"{}")
        members: Mapping[str, Any] = error if isinstance(error, dict) else {"message": error}
        mask = self._versions.mask_of(hook)
        name, message = (mask(str(members.get(key) or "")) for key in ("name", "message"))
        return name[:_MAX_CLASS] or None, ": ".join(filter(None, (name, message)))
