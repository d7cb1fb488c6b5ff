"""The workers of one pool: who takes calls, who only finishes some, and whether one is lacking.

Nothing is started or ended here. A worker that has served its time is replaced one for one: it goes
on taking calls until its replacement is ready, so that no call waits for a process to start. With
``mode = "fresh"`` a worker takes one call, which it leaves with; its replacement starts then, not
when the call has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

from app.domain.outcomes import Lifecycle, Limits
from app.runtime.pace import MOST_IN_FLIGHT
from app.runtime.workers import Worker

_STARTING_AT_ONCE = 4
"""Workers of a ``fresh`` hook that may start at a time; of another hook it is one."""


class Staff:
    """Workers by what may be asked of them."""

    def __init__(self, lifecycle: Lifecycle, limits: Limits) -> None:
        self.serving: list[Worker] = []
        """Those that start, or take calls."""
        self.leaving: list[Worker] = []
        """Those that take no more calls, and end when they have answered what they have."""
        self.fresh = lifecycle.mode == "fresh"
        self.most_in_flight = 1 if self.fresh else lifecycle.concurrency or MOST_IN_FLIGHT
        """Calls that one worker may be sent at a time."""
        self.counts_calls = self.fresh or lifecycle.max_calls is not None
        """Whether a call that was sent may be a reason to replace its worker."""
        self._lifecycle = lifecycle
        self._most = limits.max_workers

    def __iter__(self) -> Iterator[Worker]:
        yield from self.serving
        yield from self.leaving

    def __len__(self) -> int:
        return len(self.serving) + len(self.leaving)

    @property
    def any_ready(self) -> bool:
        """Whether the script has loaded in a worker."""
        return any(worker.is_ready for worker in self)

    def with_room(self) -> Worker | None:
        """Return a quick worker, or else the least busy of those that may be sent a call now."""
        best = None
        for worker in self.serving:
            if worker.is_quick:
                return worker
            if worker.has_room and (best is None or worker.load < best.load):
                best = worker
        return best

    def lacks(self, waiting: int, *, kept: bool) -> bool:
        """Whether to start another worker now; ``waiting`` calls have none."""
        starting = sum(not worker.is_ready for worker in self.serving)
        kept_ready = self._lifecycle.min_ready if kept else 0
        if self.fresh:
            spare = len(self.serving)
            room = starting < _STARTING_AT_ONCE and len(self) < self._most
            return room and spare < waiting + kept_ready
        if starting:
            return False
        if any(self._is_due(worker) for worker in self.serving):
            return len(self) <= self._most
        return (waiting > 0 or len(self.serving) < kept_ready) and len(self) < self._most

    def sent(self, worker: Worker) -> None:
        """Note that a call was sent; a fresh worker takes no other."""
        if self.fresh:
            self.serving.remove(worker)
            self.leaving.append(worker)

    def relieve(self) -> None:
        """Let one that has served its time leave, now that another is ready."""
        due = next((worker for worker in self.serving if self._is_due(worker)), None)
        if due is not None:
            self.serving.remove(due)
            self.leaving.append(due)

    def remove(self, number: int) -> Worker | None:
        """Forget a worker; return it if it was one that should have gone on serving."""
        for worker in self.leaving:
            if worker.number == number:
                self.leaving.remove(worker)
                return None
        for worker in self.serving:
            if worker.number == number:
                self.serving.remove(worker)
                return worker
        return None

    def finished(self) -> list[Worker]:
        """List those that may end."""
        return [worker for worker in self.leaving if worker.load == 0]

    def superfluous(self, since: float, *, kept: bool) -> list[Worker]:
        """List those beyond what is to be kept that have idled since before ``since``."""
        keep = self._lifecycle.min_ready if kept else 1
        return [
            worker
            for worker in self.serving[keep:]
            if worker.is_ready and worker.load == 0 and worker.idle_since <= since
        ]

    def _is_due(self, worker: Worker) -> bool:
        """Whether it has taken its calls or reached its age; one that starts has not."""
        life = self._lifecycle
        return worker.is_ready and (
            (life.max_calls is not None and worker.taken >= life.max_calls)
            or (life.max_age is not None and monotonic() - worker.born >= life.max_age)
        )
