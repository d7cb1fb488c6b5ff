"""Whether the server can answer truthfully now, told condition by condition."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from app.application.history.issue_checkpoints import HistoryProver
from app.application.syncing.status import Check, Readiness
from app.bootstrap.engine import Engine
from app.bootstrap.transparency import signing_check
from projections.follower import FollowerState

MAX_LAG = 1000
"""Positions a projection may be behind before its answers are called stale."""


def readiness(
    engine: Engine, prover: HistoryProver, tasks: Sequence[asyncio.Task[None]]
) -> Readiness:
    """Check followers, background tasks and workers; blocking, so call it from a thread."""
    return Readiness(
        (*_followers(engine), *_tasks(tasks), signing_check(prover), *source_checks(engine))
    )


def _followers(engine: Engine) -> Iterator[Check]:
    storage = engine.storage
    for state in (storage.hooks.state(), *(follower.state() for follower in storage.followers)):
        yield Check(
            name=f"projection:{state.name}",
            ok=state.running
            and state.error is None
            and state.lag <= MAX_LAG
            and not state.is_ahead,
            detail=_told(state),
        )


def _told(state: FollowerState) -> str:
    if state.failed_position is not None:
        return (
            f"stopped at event {state.failed_position} ({state.failed_topic}): {state.error} "
            "Run the server version that wrote it, or a newer one."
        )
    if state.error is not None:
        return state.error
    if state.is_ahead:
        return (
            f"has seen event {state.position}, but the store ends at {state.head}: events were "
            "removed. Run `hookledger audit verify`."
        )
    return f"at position {state.position} of {state.head}, {state.lag} behind"


def _tasks(tasks: Sequence[asyncio.Task[None]]) -> Iterator[Check]:
    for task in tasks:
        detail = "has ended; restart the server" if task.done() else "running"
        yield Check(name=f"task:{task.get_name()}", ok=not task.done(), detail=detail)


def source_checks(engine: Engine) -> Iterator[Check]:
    """Tell each source's state without judging it: a refused commit leaves the last good one."""
    for source in engine.sources.all:
        name = engine.sources.label("source", source)
        row = engine.storage.hooks.table.sources.get(source.id)
        if row is not None and row.applied is not None:
            yield Check(name, ok=True, detail=f"commit {row.applied[:12]} is in force")
        else:
            error = source.watcher.status.last_error
            yield Check(name, ok=True, detail=error or "no commit has been applied yet")
