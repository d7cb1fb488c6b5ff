"""Several hooks on one trigger, in order: each sees what the former ones brought about.

The first error ends the chain. A failure of the platform ends it too, unless the trigger lets such
failures pass (``on_error = "open"``): then the chain goes on without that hook's effects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.application.invoking.envelopes import Reading, read_outcome
from app.application.invoking.runs import HookRuns, Run
from app.application.views import HookRow
from app.domain.triggers.contracts import TriggerContract


@dataclass(frozen=True, slots=True)
class Step:
    """One hook's part in a chain."""

    hook: HookRow
    reading: Reading
    effects: Mapping[str, Any]
    """Those of the chain up to and with this hook."""

    def told(self) -> dict[str, Any]:
        """Choose what the caller is told of it."""
        outcome = self.reading.outcome
        return {
            "hook": self.hook.name,
            "commit": self.hook.commit,
            "position": self.hook.position,
            "outcome": str(outcome.kind),
            "ran_ms": round(outcome.ran * 1000, 3),
        }


async def run_chain(
    runs: HookRuns, contract: TriggerContract, hooks: Sequence[HookRow], run: Run
) -> list[Step]:
    """Run hooks in turn and record each; return as many steps as were run, at least one."""
    steps: list[Step] = []
    given = contract.hook_payload(run.body)
    members: Mapping[str, Any] = {"event": run.payload} if contract.takes_event else run.payload
    payload: Mapping[str, Any] = run.payload
    effects: Mapping[str, Any] | None = None
    for hook in hooks:
        outcome = await runs.run(contract, hook, run, given)
        reading = read_outcome(contract, payload, outcome)
        runs.record(contract, hook, run, reading.outcome, len(reading.outcome.data or b""))
        if reading.effects is not None:
            effects = (
                reading.effects if effects is None else contract.merge(effects, reading.effects)
            )
            carried = contract.carry(members, effects)
            if carried is not members:
                given = orjson.dumps(carried)
                payload = payload if contract.takes_event else carried
        steps.append(Step(hook, reading, effects or {}))
        failed = not reading.outcome.kind.is_answer
        if reading.effects is None and not (failed and contract.on_error == "open"):
            break
    return steps
