"""The active-hook table in memory: one attribute for the hot path, replaced whole by a follower.

It starts from the stored table and is then fed by the log directly, so an invocation sees a change
without waiting for its rows to be written. A new table is put in place only when everything
committed has been folded in: a revision of 10,000 events appears at once or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from app.application.views import ActiveTable
from app.domain.revisions import Position
from projections.event_log import EventLog, Recorded
from projections.follower import BATCH, POLL, Follower, FollowerState
from projections.hook_table.fold import fold
from projections.reached import Reached

START_TIMEOUT = 30.0

OnChange = Callable[[ActiveTable], None]

_log = logging.getLogger("hookledger.projections")


class LiveHookTable:
    """Implements the port ``HookTable``; ``load`` gives the table to start from."""

    def __init__(
        self,
        log: EventLog,
        load: Callable[[], ActiveTable],
        *,
        batch: int = BATCH,
        poll: float = POLL,
    ) -> None:
        self._load = load
        self._table = self._next = ActiveTable()
        self._published = False
        self._callbacks: list[OnChange] = []
        self._reached = Reached()
        self._follower = Follower(
            "hook-table",
            log,
            start=lambda: self._next.position,
            apply=self._fold,
            reached=self._reached,
            on_drained=self._publish,
            batch=batch,
            poll=poll,
        )

    @property
    def table(self) -> ActiveTable:
        """The newest table."""
        return self._table

    def on_change(self, callback: OnChange) -> None:
        """Have ``callback`` called with every new table, the first included, after it is in place.

        It runs on the follower's thread and holds it up: hand work over. What it raises is logged.
        """
        self._callbacks.append(callback)

    def start(self, timeout: float = START_TIMEOUT) -> None:
        """Load, follow, and return once everything committed is in the table.

        Returns earlier, with what was loaded, if the follower stops or ``timeout`` seconds pass;
        ``state`` says why. Raises ``Transient`` or ``Stalled`` if the stored table cannot be read.
        """
        self._table = self._next = self._load()
        self._reached.advance(self._table.position)
        self._follower.start()
        self._follower.wait_until_settled(timeout)
        if not self._published:
            self._tell()

    def stop(self) -> None:
        """Stop following; the table stays as it is."""
        self._follower.stop()

    def wake(self) -> None:
        """Say that there may be something new."""
        self._follower.wake()

    async def wait_for(self, position: Position, timeout: float) -> bool:
        """Wait until the table is as new as ``position``; False after ``timeout`` seconds."""
        return await self._reached.wait_for(position, timeout)

    def wait(self, position: Position, timeout: float) -> bool:
        """Block until the table is as new as ``position``; False after ``timeout`` seconds."""
        return self._reached.wait(position, timeout)

    def state(self) -> FollowerState:
        """Report position, lag and error for ``/readyz``; call it from a thread."""
        return self._follower.state()

    def _fold(self, after: Position, recorded: Sequence[Recorded]) -> Position:
        del after  # this table is nobody else's: it never moves by itself
        self._next = fold(self._next, recorded)
        return self._next.position

    def _publish(self) -> None:
        if self._published and self._next is self._table:
            return
        self._table = self._next
        self._published = True
        self._reached.advance(self._table.position)
        self._tell()

    def _tell(self) -> None:
        for callback in self._callbacks:
            try:
                callback(self._table)
            except Exception:  # noqa: BLE001 (one listener's fault must not stop the table)
                _log.exception("A listener of the hook table failed; the table is in place.")
