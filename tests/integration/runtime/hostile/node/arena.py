"""Attacks in JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from app.domain.outcomes import Outcome
from tests.integration.runtime.hostile.arena import SECRET, Arena

VICTIM = """
let calls = 0;
module.exports = (event, context, cb) => cb(null, [++calls, context.webtask.secrets.KEY]);
"""

ATTEMPT = """
const named = (number) =>
  Object.assign(new Error(), { code: require('util').getSystemErrorName(number) });
const attempt = async (action) => {
  try { return { got: String(await action()) }; } catch (error) {
    const cause = error.cause?.code || error.info?.code || error.code || error.message;
    return { refused: String(cause) };
  }
};
"""


class NodeArena(Arena):
    """Attacks are bodies of hooks."""

    stopped_by: ClassVar[dict[str, set[str]]] = {
        "seccomp": {"EPERM", "not open"},
        "Landlock": {"EACCES", "ERR_DLOPEN_FAILED"},
        "mount namespace": {"ENOENT", "ERR_DLOPEN_FAILED", "MODULE_NOT_FOUND"},
        # A file that cannot be read is no folder either, which is found out first.
        "its kind": {"ENOTDIR"},
        # Says what to write into the manifest; whoever goes past it meets seccomp.
        "advice": {"EACCES", "ECONNREFUSED"},
    }

    def __init__(
        self,
        house: Any,
        until: Callable[[Callable[[], bool]], None],
        traces: Callable[[], set[str]],
    ) -> None:
        victim = house.version(VICTIM, language="node", secrets={"KEY": SECRET})
        super().__init__(house, victim, until, traces)

    def strike(self, body: str, event: object = None, *, timeout: float = 8) -> Outcome:
        """Run the body of a hostile hook once; check all that must hold after any attack."""
        script = f"{ATTEMPT}\nmodule.exports = async (event, context, cb) => {{\n{body}\n}};"
        attacker = self.house.version(script, language="node", max_workers=1)
        return self.watch(attacker, event, timeout, late=timeout + 2)

    def refuses(self, actions: str, event: object = None, *, by: tuple[str, ...]) -> None:
        """Try a list of functions; see which layers refused them."""
        outcome = self.strike(
            f"const found = [];\nfor (const action of {actions}) found.push(await attempt(action));"
            "\ncb(null, found);",
            event,
        )
        self.see_refusals(outcome, by)
