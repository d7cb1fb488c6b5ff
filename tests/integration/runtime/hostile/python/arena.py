"""Attacks in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from app.domain.outcomes import Outcome, OutcomeKind
from tests.integration.runtime.hostile.arena import SECRET, Arena

VICTIM = """
calls = 0
def hook(event, context):
    global calls
    calls += 1
    return [calls, context.secrets["KEY"]]
"""


class PythonArena(Arena):
    """Another hook that runs after each attack shows that the server goes on, too."""

    stopped_by: ClassVar[dict[str, set[str]]] = {
        "seccomp": {"EPERM", "gaierror"},
        "Landlock": {"EACCES"},
        "mount namespace": {"ENOENT"},
        "resource limits": {"ValueError"},
        # Where every user may not read the standard library, what was not imported ahead is not there.
        "files of Python": {"ModuleNotFoundError"},
    }

    def __init__(
        self,
        house: Any,
        attempt: str,
        until: Callable[[Callable[[], bool]], None],
        traces: Callable[[], set[str]],
    ) -> None:
        self._attempt = attempt
        victim = house.version(VICTIM, secrets={"KEY": SECRET}, max_workers=1)
        super().__init__(house, victim, until, traces)

    def strike(
        self, script: str, event: object = None, *, timeout: float = 5, **limits: int
    ) -> Outcome:
        """Run a hostile script once, check all that must hold after any attack."""
        limits = {"max_workers": 1} | limits
        attacker = self.house.version(self._attempt + script, **limits)
        outcome = self.watch(attacker, event, timeout, late=2)
        self._see_another_hook_run()
        return outcome

    def refuses(self, script: str, event: object = None, *, by: tuple[str, ...]) -> None:
        """Run a script that answers with a list of attempts; see which layers refused them."""
        self.see_refusals(self.strike(script, event), by)

    def _see_another_hook_run(self) -> None:
        harmless = self.house.version("def hook(event, context):\n    return event", max_workers=1)
        outcome = self.house.call(harmless, "fine")
        assert (outcome.kind, outcome.data) == (OutcomeKind.SUCCEEDED, b'"fine"')
