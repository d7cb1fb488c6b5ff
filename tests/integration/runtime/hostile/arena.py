"""Where hostile hooks are watched: what must hold after any attack, and which layer refused it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

import orjson

from app.domain.outcomes import HookVersion, Outcome, OutcomeKind

SECRET = "the-victim's-secret"


class Arena:
    """Attacks of one language; beside them a victim runs, whose worker must go on."""

    stopped_by: ClassVar[dict[str, set[str]]]
    """How a refusal looks, by the layer that it comes from."""

    def __init__(
        self,
        house: Any,
        victim: HookVersion,
        until: Callable[[Callable[[], bool]], None],
        traces: Callable[[], set[str]],
    ) -> None:
        self.house = house
        self.calls = 0
        self._victim = victim
        self._until = until
        self._traces = traces
        self._see_victim()

    def watch(self, attacker: HookVersion, event: object, timeout: float, late: float) -> Outcome:
        """Run a hostile hook once, which may be ``late`` seconds late; check what must hold."""
        baseline, traces = len(self.house.processes()), self._traces()
        began = time.monotonic()
        outcome: Outcome = self.house.call(attacker, event, timeout=timeout)
        assert time.monotonic() - began < timeout + late, "the call was answered in time"
        self._see_victim()
        self._until(lambda: len(self.house.processes()) <= baseline + 1)
        assert self._traces() == traces, "something outlived it"
        return outcome

    def see_refusals(self, outcome: Outcome, by: tuple[str, ...]) -> None:
        """Look at a list of attempts; see which layers refused them."""
        assert outcome.kind is OutcomeKind.SUCCEEDED, outcome
        answers = orjson.loads(outcome.data or b"[]")
        assert answers
        assert [answer["got"] for answer in answers if "got" in answer] == [], "an attack worked"
        explained = set().union(*(self.stopped_by[layer] for layer in by))
        assert {answer["refused"] for answer in answers} <= explained, "stopped by something else"

    def _see_victim(self) -> None:
        self.calls += 1
        outcome = self.house.call(self._victim)
        assert outcome.kind is OutcomeKind.SUCCEEDED, outcome
        # The count shows that it is still the same process.
        assert orjson.loads(outcome.data) == [self.calls, SECRET]
