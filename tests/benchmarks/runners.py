"""Runners and hook versions for benchmarks of workers, without HTTP."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from app.domain.outcomes import Call, HookVersion, Language, Lifecycle, OutcomeKind
from app.runtime import interpreter, launcher, runner
from app.runtime.isolation import LayerReport
from app.runtime.runner import IsolatedRunner

ECHO: dict[Language, str] = {
    "python": "def hook(event, context):\n    return event\n",
    "node": "module.exports = function (event, context, cb) { cb(null, event); };\n",
}
PAYLOAD = json.dumps({"event": {"a": 1}, "context": {}}).encode()


@contextlib.asynccontextmanager
async def running(
    most: int, *, confined: bool = True, node_reserve: int = 2
) -> AsyncIterator[IsolatedRunner]:
    """Run hooks in up to ``most`` workers, which nothing confines if asked for."""
    one = IsolatedRunner(
        isolation="required" if confined else "best-effort",
        on_log=lambda _: None,
        clock=lambda: datetime.now(UTC),
        max_workers_total=most,
        max_memory=f"{most * 512}MiB",
        node_reserve=node_reserve,
    )
    with contextlib.ExitStack() as stack:
        if not confined:
            stack.enter_context(mock.patch.object(runner, "probe", _no_layer))
            stack.enter_context(mock.patch.object(launcher, "command", _unconfined))
        await one.start()
        try:
            yield one
        finally:
            await one.stop()


def version(
    key: str,
    script: str = ECHO["python"],
    language: Language = "python",
    lifecycle: Lifecycle = Lifecycle(),  # noqa: B008 (frozen)
) -> HookVersion:
    """Make a version; another key makes another one."""
    return HookVersion(
        key=key,
        hook_id=key,
        name=key,
        trigger="benchmark",
        language=language,
        script=script,
        parameters=("event", "context"),
        open_secrets=dict,
        lifecycle=lifecycle,
    )


async def answered(one: IsolatedRunner, asked: HookVersion, name: str = "call") -> None:
    """Call and see to it that the hook answered; raise ``RuntimeError``."""
    outcome = await one.run(asked, Call(name, PAYLOAD, 10))
    if outcome.kind is not OutcomeKind.SUCCEEDED:
        raise RuntimeError(outcome.detail or str(outcome.data))


def _no_layer(*_: object, **__: object) -> tuple[LayerReport, ...]:
    return tuple(LayerReport(name, in_force=True) for name in ("uid", "process descriptors"))


def _unconfined(_: str, *arguments: Any) -> list[str]:
    return interpreter.command("tests.benchmarks.unconfined", *arguments)
