"""A thread that follows the log and hands batches to a projection.

Wake-ups (a save in this process, a commit of another) are hints that make it fast; that it looks
again every two seconds is the guarantee. What may pass is tried again with growing pauses; before
an event that cannot be processed it stops for good and says so, because to skip a fact is to be
wrong from there on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.domain.errors import Transient
from app.domain.revisions import Position
from projections.event_log import EventLog, PoisonEvent, Recorded, whole_before
from projections.reached import Reached

Apply = Callable[[Position, Sequence[Recorded]], Position]
"""Takes in the events that follow a position and returns where to go on."""

BATCH = 500
POLL = 2.0
SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

_log = logging.getLogger("hookledger.projections")


@dataclass(frozen=True, slots=True)
class FollowerState:
    """What a follower would say of itself."""

    name: str
    running: bool
    position: Position
    head: Position
    """The newest position of the log, as far as known."""
    error: str | None
    """What is wrong now; a running follower tries again, one that stopped needs a person."""
    failed_position: Position | None
    """Where it stopped for good."""
    failed_topic: str | None

    @property
    def lag(self) -> int:
        """How far it is behind, in positions."""
        return max(0, self.head - self.position)

    @property
    def is_ahead(self) -> bool:
        """Tell whether it has seen events that the log does not hold: somebody removed them."""
        return self.position > self.head

    @property
    def stopped_by_error(self) -> bool:
        return self.error is not None and not self.running


class Follower:
    """Feeds one projection, from the position ``start`` returns.

    ``on_drained`` is called when everything there is has been applied, which is always at the end
    of a committed transaction; a projection that gives it advances ``reached`` itself.
    ``linger`` is how many seconds it lets others go first after a wake-up: views on disk that wait
    2 ms leave the processor to the table in memory and take bursts in one transaction.
    """

    def __init__(
        self,
        name: str,
        log: EventLog,
        *,
        start: Callable[[], Position],
        apply: Apply,
        reached: Reached | None = None,
        on_drained: Callable[[], None] | None = None,
        batch: int = BATCH,
        poll: float = POLL,
        linger: float = 0.0,
    ) -> None:
        self.name = name
        self.reached = reached or Reached()
        self._log = log
        self._start = start
        self._apply = apply
        self._on_drained = on_drained
        self._batch = batch
        self._poll = poll
        self._linger = linger
        self._position: Position | None = None
        self._head = Position(0)
        self._error: Exception | None = None
        self._failed: Recorded | None = None
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._settled = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; a follower runs once."""
        self._thread = threading.Thread(target=self._run, name=f"follow-{self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the batch in hand and wait for that; harmless if it never ran."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
        self.reached.end()

    def wake(self) -> None:
        """Say that there may be something new; costs a microsecond, from any thread."""
        self._woken.set()

    def wait(self, position: Position, timeout: float) -> bool:
        """Block until ``position`` is applied; False after ``timeout`` seconds or the end."""
        return self.reached.wait(position, timeout)

    async def wait_for(self, position: Position, timeout: float) -> bool:
        """Wait until ``position`` is applied; False after ``timeout`` seconds or the end."""
        return await self.reached.wait_for(position, timeout)

    def wait_until_settled(self, timeout: float) -> bool:
        """Block until it has caught up once, or ended; False after ``timeout`` seconds."""
        return self._settled.wait(timeout)

    def state(self) -> FollowerState:
        """Report position, lag and error; reads the head of the log, so call it from a thread."""
        running = self._thread is not None and self._thread.is_alive()
        # A stored view may be reset; what waiters were told cannot be taken back.
        stored = self._position or Position(0)  # read before the head, which may move
        position = stored if self._on_drained is None else self.reached.position
        try:
            self._head = self._log.head()
            error = self._error
        except Transient as failure:
            error = self._error or failure
        return FollowerState(
            name=self.name,
            running=running,
            position=position,
            head=self._head,
            error=None if error is None else str(error),
            failed_position=None if self._failed is None else self._failed.position,
            failed_topic=None if self._failed is None else self._failed.topic,
        )

    def _run(self) -> None:
        pause = SHORTEST_PAUSE
        try:
            while not self._stopping.is_set():
                self._woken.clear()
                try:
                    self._catch_up()
                except Transient as error:
                    self._error = error
                    _log.warning("%s: %s Trying again in %.1f s.", self.name, error, pause)
                    self._stopping.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                    continue
                self._error = None
                pause = SHORTEST_PAUSE
                self._settled.set()
                if self._woken.wait(self._poll) and self._linger:
                    self._stopping.wait(self._linger)
        except PoisonEvent as error:
            self._error = error
            _log.error("%s stopped at position %d: %s", self.name, self.reached.position, error)
        except Exception as error:  # noqa: BLE001 (a thread's last words must reach /readyz)
            self._error = error
            _log.exception("%s stopped at position %d.", self.name, self.reached.position)
        finally:
            self.reached.end()
            self._settled.set()

    def _catch_up(self) -> None:
        if self._position is None:
            self._advance(self._start())
        drained = False
        while not (drained or self._stopping.is_set()):
            after = self._position or Position(0)
            recorded = self._log.select(after, self._batch)
            if recorded:
                self._advance(self._applied(after, recorded))
            drained = len(recorded) < self._batch
        if drained and self._on_drained is not None:
            self._on_drained()

    def _applied(self, after: Position, recorded: Sequence[Recorded]) -> Position:
        try:
            return self._apply(after, recorded)
        except PoisonEvent as error:
            self._failed = next(
                (fact for fact in recorded if fact.position == error.position), recorded[0]
            )
            if before := whole_before(recorded, error.position):
                self._advance(self._apply(after, before))
                if self._on_drained is not None:
                    self._on_drained()
            raise
        except Transient:
            raise
        except Exception:
            self._failed = recorded[0]
            raise

    def _advance(self, position: Position) -> None:
        self._position = position
        if self._on_drained is None:
            self.reached.advance(position)
