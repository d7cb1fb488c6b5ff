"""The loop that runs deliveries: take with a lease, run, then finish, try later or bury.

Several consumers, of this or other processes, may share one queue: a delivery is leased to one of
them at a time. A consumer that dies leaves its leases to run out. One that can no longer prolong
a lease cancels the run, so that two never run one delivery at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import Callable
from datetime import timedelta

import anyio

from app.application.ports import Clock, Deliver, Schedule
from app.domain.errors import HookledgerError
from app.queue.records import Lease
from app.queue.schedules import exponential
from app.queue.sqlite import SqliteQueue

_LOG = logging.getLogger("hookledger.queue")

_DEFAULT_SCHEDULE = exponential()
_JITTER = 0.2
_LONGEST_ERROR = 1000


class Consumer:
    """Runs the deliveries of one queue with one function."""

    def __init__(
        self,
        queue: SqliteQueue,
        deliver: Deliver,
        clock: Clock,
        *,
        concurrency: int = 8,
        schedule: Schedule = _DEFAULT_SCHEDULE,
        lease: float = 30.0,
        poll: float = 1.0,
        grace: float = 5.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Prepare; ``run`` does the work.

        ``schedule`` says how long to wait after each failed attempt; the attempt without an entry
        is the last. Times are in seconds: ``lease`` is how long the deliveries of a consumer that
        died stay taken, ``poll`` how soon those of other processes are seen, ``grace`` how long
        running ones may go on when the consumer is stopped. ``chance`` gives a number from 0 to 1.
        """
        self._queue = queue
        self._deliver = deliver
        self._clock = clock
        self._concurrency = concurrency
        self._schedule = schedule
        self._lease = timedelta(seconds=lease)
        self._poll = poll
        self._grace = grace
        self._chance = chance
        self._owner = os.urandom(8).hex()
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Run deliveries until cancelled; then finish the running ones, or give them back."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            # A loop that closes in this very moment needs no waking.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wake.set)

        heartbeat = loop.create_task(self._prolong())
        try:
            with self._queue.listening(wake):
                while True:
                    self._wake.clear()
                    pause = await self._start_due()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self._wake.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await self._wind_up(heartbeat)

    async def _start_due(self) -> float:
        """Start what is due and fits; return for how many seconds there is nothing else to do."""
        free = self._concurrency - len(self._running)
        if not free:
            return self._poll
        try:
            taken = await self._queue.take(self._owner, free, self._lease)
        except HookledgerError:
            _LOG.exception("No deliveries could be taken from the queue; trying on.")
            return self._poll
        for lease in taken.leases:
            task = asyncio.get_running_loop().create_task(self._handle(lease))
            self._running[task] = lease
            task.add_done_callback(self._ended)
        if taken.next_due is None or len(taken.leases) == free:
            return self._poll
        return min(self._poll, max(0.0, (taken.next_due - self._clock()).total_seconds()))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("The end of a delivery could not be noted: it runs again.", exc_info=error)

    async def _handle(self, lease: Lease) -> None:
        if lease.abandoned and lease.attempts not in self._schedule:
            reason = f"the server stopped during attempt {lease.attempts}"
            await self._queue.bury(lease, f"{reason}; before: {lease.last_error or 'no error'}")
            return
        error = await self._attempt(lease)
        if error is None:
            await self._queue.finish(lease.invocation_id)
            return
        error = error[:_LONGEST_ERROR]
        wait = self._schedule.get(lease.attempts + 1)
        if wait is None:
            _LOG.warning("The delivery %s is dead after its last attempt.", lease.invocation_id)
            await self._queue.bury(lease, error)
        else:
            spread = 1 + _JITTER * (2 * self._chance() - 1)
            due = self._clock() + timedelta(seconds=wait * spread)
            await self._queue.retry(lease, due, error)

    async def _attempt(self, lease: Lease) -> str | None:
        """Run a delivery; return what went wrong, or None."""
        try:
            done = await self._deliver(self._queue.open(lease))
        except HookledgerError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 (whatever it is, the delivery is tried again)
            # Its text may quote the payload; the log is for operators, the dead letter for all.
            _LOG.exception("The delivery %s failed unexpectedly.", lease.invocation_id)
            return f"unexpected {type(error).__name__}; the server's log has the details"
        return None if done else "the run did not succeed; the journal has its record"

    async def _prolong(self) -> None:
        """Keep the leases of what runs; stop what was lost to another consumer."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            ids = [lease.invocation_id for lease in self._running.values()]
            if not ids:
                continue
            try:
                held = await self._queue.renew(self._owner, ids, self._lease)
            except HookledgerError:
                _LOG.exception("The leases of running deliveries could not be prolonged.")
                continue
            for task, lease in list(self._running.items()):
                if lease.invocation_id in ids and lease.invocation_id not in held:
                    _LOG.warning(
                        "The lease of %s was lost; its run is stopped.", lease.invocation_id
                    )
                    task.cancel()

    async def _wind_up(self, heartbeat: asyncio.Task[None]) -> None:
        unfinished: set[asyncio.Task[None]] = set(self._running)
        if unfinished:
            _, unfinished = await asyncio.wait(unfinished, timeout=self._grace)
        for task in (heartbeat, *unfinished):
            task.cancel()
        await asyncio.wait([heartbeat, *unfinished])
        try:
            # Also what was taken in the very moment of stopping, and never started.
            await self._queue.release(self._owner)
        except HookledgerError:
            _LOG.exception("Deliveries could not be given back; they run when their lease ends.")
