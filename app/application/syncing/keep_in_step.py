"""See to what no commit brings about: times that come, decisions of people, and drift."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from app.application.acts import Act
from app.application.ports import Clock, HookTable
from app.application.syncing.due_moments import due_moments
from app.application.syncing.results import SourceSettings

_log = logging.getLogger("hookledger.drift")

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class StepKeeper:
    """Compares at intervals and when something ends, and hints at what calls for a sync.

    ``hint`` asks for a sync soon. ``changed`` is set by whoever knows that the table is another.
    """

    def __init__(
        self,
        source: SourceSettings,
        hooks: HookTable,
        *,
        compare: Callable[[], Awaitable[object]],
        hint: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._source = source
        self._hooks = hooks
        self._compare = compare
        self._hint = hint
        self._clock = clock
        self.changed = asyncio.Event()

    async def run(self) -> None:
        """Go on until cancelled."""
        every = self._source.policy.compare_every
        looked, decided = _LONG_AGO, self._decisions()
        compare_at = self._clock() + every
        while True:
            moments = self._moments_after(looked)
            await self._wait_until(min((compare_at, *moments)))
            now = self._clock()
            came = any(moment <= now for moment in moments)
            if came or now >= compare_at:
                await self._compare_safely()
                compare_at = self._clock() + every
            before, decided = decided, self._decisions()
            if came or decided != before:
                self._hint()
            if came:
                looked = now

    async def _compare_safely(self) -> None:
        try:
            await self._compare()
        except Exception:  # noqa: BLE001 (whatever it is, the next comparison may go well)
            _log.exception("comparison_failed")

    def _moments_after(self, looked: datetime) -> list[datetime]:
        """Return the times to come; one that came and changed nothing is not waited for again."""
        moments = due_moments(self._source, self._hooks.table)
        return [moment for moment in moments if moment > looked]

    def _decisions(self) -> tuple[Act | None, Act | None]:
        """Return what people decided that a sync has to know."""
        row = self._hooks.table.sources.get(self._source.id)
        if row is None:
            return None, None
        return row.suspension, row.held.approval if row.held is not None else None

    async def _wait_until(self, moment: datetime) -> None:
        seconds = max(0.0, (moment - self._clock()).total_seconds())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        self.changed.clear()
