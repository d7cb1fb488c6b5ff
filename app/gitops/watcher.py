"""Notice that a branch has moved, and have the ledger brought to it.

Level-triggered: a change of the file system, a heartbeat and a request from outside all mean only
"look again". A look asks for the branch's tip (some 30 microseconds, or a fetch) and reconciles if
it is not the one that was tried last. So no notice can be lost for good, and none needs to be
believed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import anyio
import anyio.to_thread

from app.application.ports import Clock
from app.domain.errors import Rejected, Stalled, Transient
from app.domain.revisions import CommitSha
from app.gitops.refs_watch import Notice, poll, watch_refs

_log = logging.getLogger("hookledger.watcher")

_FIRST_RETRY = 0.5
_LONGEST_RETRY = 60.0
_MOST_DOUBLINGS = 10
_FIRST_LOOK_AGAIN = 1.0
_LONGEST_LOOK_AGAIN = 300.0
_STALLED_RETRY = 300.0
"""What stalls needs a person, who may mend the repository without moving the branch."""


@dataclass(frozen=True, slots=True)
class WatcherStatus:
    """What the watcher has seen and done since it was made."""

    last_error: str | None = None
    """Why the newest commit is not in force; None when it is."""
    last_success: datetime | None = None
    tried: CommitSha | None = None
    """The tip for which reconcile was called last."""
    settled: CommitSha | None = None
    """The tip for which it ended last without an error."""
    runs: int = 0
    failures: int = 0
    hints: int = 0
    changes: int = 0
    """Notices from the file system."""
    heartbeats: int = 0
    missed: int = 0
    """New tips found by a heartbeat, of which the file system had told nothing."""
    rearmed: int = 0
    """Times the file watcher was started again."""


class Watcher:
    """Calls ``reconcile`` when the tip is a new one, and never while it still runs.

    ``tip`` is called in a worker thread, of which ``threads`` says how many there are; ``refs`` is
    the directory below which the branch's ref lies, or None if the branch is elsewhere and is only
    polled: then a failed look is repeated with growing pauses. ``heartbeat`` is in seconds.
    ``reconcile`` raises ``Transient`` (and anything unforeseen) to be called again soon,
    ``Stalled`` after minutes, ``Rejected`` not before the tip moves.
    """

    def __init__(
        self,
        *,
        tip: Callable[[], CommitSha],
        reconcile: Callable[[], Awaitable[object]],
        refs: Path | None,
        clock: Clock,
        heartbeat: float = 0.25,
        jitter: Callable[[], float] = random.random,
        threads: anyio.CapacityLimiter | None = None,
    ) -> None:
        self._tip = tip
        self._reconcile = reconcile
        self._refs = refs
        self._clock = clock
        self._heartbeat = heartbeat
        self._jitter = jitter
        self._threads = threads
        self._status = WatcherStatus()
        self._tip_error: str | None = None
        self._run_error: str | None = None
        self._look = asyncio.Event()
        self._told = False
        self._requested = 0
        self._answered = 0
        self._looked_for = 0
        """Requests that were there before the last look; a later one does not wait for a pause."""
        self._failed_looks = 0
        self._look_after: float | None = None
        self._failures_in_row = 0
        self._retry_at: float | None = None

    @property
    def status(self) -> WatcherStatus:
        return replace(self._status, last_error=self._tip_error or self._run_error)

    def hint(self) -> None:
        """Reconcile soon even if the tip was tried already; call it in the event loop.

        A hint given while a reconcile runs is answered by another one after it.
        """
        self._requested += 1
        self._count("hints")
        self._look.set()

    async def run(self) -> None:
        """Watch until cancelled. Errors are logged and kept in ``status``, never raised."""
        async with asyncio.TaskGroup() as tasks:
            # Armed before the first look, so that nothing falls between the two.
            tasks.create_task(self._listen())
            tasks.create_task(self._work())
            self._look.set()

    async def _listen(self) -> None:
        counted = {
            Notice.CHANGE: "changes",
            Notice.HEARTBEAT: "heartbeats",
            Notice.REARMED: "rearmed",
        }
        if self._refs is None:
            watch = poll(self._heartbeat, self._jitter)
        else:
            watch = watch_refs(self._refs, self._heartbeat)
        async with contextlib.aclosing(watch) as notices:
            async for notice in notices:
                self._told = self._told or notice is not Notice.HEARTBEAT
                self._count(counted[notice])
                self._look.set()

    async def _work(self) -> None:
        while True:
            await self._wait()
            if self._is_pausing():
                continue
            told, self._told = self._told, False
            tip = await self._read_tip()
            if tip is None:
                continue
            moved = tip != self._status.tried
            if moved and not told and self._refs and self._status.tried is not None:
                self._count("missed")
            if moved or self._answered < self._requested or self._is_retry_due():
                await self._run_once(tip)

    async def _wait(self) -> None:
        """Wait for a notice, or until a retry is due: a heartbeat may be an hour long."""
        due = self._look_after if self._tip_error else self._retry_at
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await self._look.wait()
        self._look.clear()

    def _is_pausing(self) -> bool:
        """Tell whether the last look failed and nobody asked since; what is local is cheap."""
        now = asyncio.get_running_loop().time()
        pausing = self._look_after is not None and now < self._look_after
        return pausing and self._looked_for == self._requested

    async def _read_tip(self) -> CommitSha | None:
        self._looked_for = self._requested
        self._look_after = None
        try:
            tip = await anyio.to_thread.run_sync(
                self._tip, limiter=self._threads, abandon_on_cancel=True
            )
        except Exception as error:  # noqa: BLE001 (whatever it is, the next look may go well)
            self._look_failed(error)
            return None
        self._tip_error = None
        self._failed_looks = 0
        return tip

    def _look_failed(self, error: Exception) -> None:
        sentence, pause = _sentence(error), 0.0
        if self._refs is None:
            pause = self._pause_after(error)
            self._look_after = asyncio.get_running_loop().time() + pause
        if sentence != self._tip_error:
            _log.warning(
                "branch_unreadable", extra={"reason": sentence, "look_in": round(pause, 1)}
            )
        self._tip_error = sentence

    def _pause_after(self, error: Exception) -> float:
        """Double the pause at each failed look, up to five minutes, and draw it anew each time.

        What a person must mend (credentials, an address) is asked for only every five minutes.
        """
        doublings = min(self._failed_looks, _MOST_DOUBLINGS)
        self._failed_looks += 1
        if isinstance(error, (Stalled, Rejected)):
            return _STALLED_RETRY * (0.9 + self._jitter() / 10)
        longest = min(_FIRST_LOOK_AGAIN * 2.0**doublings, _LONGEST_LOOK_AGAIN)
        return max(longest * self._jitter(), longest / 10)

    async def _run_once(self, tip: CommitSha) -> None:
        requested = self._requested
        if tip != self._status.tried:
            self._failures_in_row = 0
        self._status = replace(self._status, tried=tip)
        self._count("runs")
        self._retry_at = None
        try:
            await self._reconcile()
        except Exception as error:  # noqa: BLE001 (the watcher outlives every failure of a run)
            self._failed(error)
        else:
            self._run_error = None
            self._failures_in_row = 0
            self._status = replace(self._status, last_success=self._clock(), settled=tip)
        self._answered = requested

    def _failed(self, error: Exception) -> None:
        self._count("failures")
        self._run_error = _sentence(error)
        if isinstance(error, Rejected):
            _log.warning("commit_refused", extra={"reason": self._run_error})
            return
        delay = _STALLED_RETRY if isinstance(error, Stalled) else self._back_off(error)
        self._retry_at = asyncio.get_running_loop().time() + delay
        foreseen = isinstance(error, (Stalled, Transient))
        _log.warning(
            "reconcile_failed",
            extra={"reason": self._run_error, "retry_in": round(delay, 1)},
            exc_info=None if foreseen else error,
        )

    def _back_off(self, error: Exception) -> float:
        """Double the delay at each failure in a row, up to a minute, and spread it by half."""
        doublings = min(self._failures_in_row, _MOST_DOUBLINGS)
        self._failures_in_row += 1
        delay = min(_FIRST_RETRY * 2.0**doublings, _LONGEST_RETRY) * (0.5 + self._jitter() / 2)
        return max(delay, error.retry_after) if isinstance(error, Transient) else delay

    def _is_retry_due(self) -> bool:
        return self._retry_at is not None and asyncio.get_running_loop().time() >= self._retry_at

    def _count(self, name: str) -> None:
        counted = {name: getattr(self._status, name) + 1}
        self._status = replace(self._status, **counted)


def _sentence(error: Exception) -> str:
    return str(error) or type(error).__name__
