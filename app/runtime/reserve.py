"""Node.js workers that were started ahead and know no script yet.

Node.js takes 40 ms to start, a script a few: a version that was never run is answered by a worker
that waits here. It was confined before it started, so none can be let into a folder of packages
afterwards: versions with packages have workers started for them, and so have those with limits
of their own. While it waits, a worker stands in a system call and takes no processor time.

A few wait where no Node.js hook has run yet; from the first on, as many as a burst of new versions
takes: a deployment, or somebody who tries one draft after the other. Each has some 7 MiB.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from app.domain.outcomes import HookVersion, Limits, OutcomeKind
from app.runtime.alarms import Alarm
from app.runtime.launcher import WorkerKind
from app.runtime.owners import Owner
from app.runtime.tickets import Ticket
from app.runtime.workers import Worker

logger = logging.getLogger("hookledger.runtime")

BURST = 8
"""Versions never run that can come at once and find a worker each."""

_AFTER_SECONDS = 0.1
"""A successor starts when the one that was taken has had the processor to itself."""
_APART_SECONDS = 0.05
"""And successors one by one: Node.js takes a processor for most of that to start."""
_LONGEST_PAUSE = 30.0

_KIND = WorkerKind("node", packages=None, memory_bytes=Limits().memory_bytes)

Start = Callable[[Owner, WorkerKind], Worker | None]
"""Starts a worker, or returns None where there is no room for one that nobody waits for."""


class Reserve:
    """Keeps workers waiting; owns them (``owners.Owner``) until a pool takes them.

    ``size`` at first, and ``BURST`` once one was asked for; none ever if ``size`` is 0.
    """

    limits = Limits()
    most_in_flight = 0

    def __init__(self, size: int, start: Start) -> None:
        self._size = size
        self._start = start
        self._workers: list[Worker] = []
        """Those that start or wait, the oldest first."""
        self._pause = _AFTER_SECONDS
        self._refill = Alarm(self.fill)

    @property
    def waiting(self) -> int:
        """How many workers could be taken now."""
        return sum(worker.awaits_script for worker in self._workers)

    def fill(self) -> None:
        """Start one that is missing, and the next a little later."""
        if len(self._workers) >= self._size:
            return
        worker = self._start(self, _KIND)
        if worker is not None:
            self._workers.append(worker)
        self._refill.by(monotonic() + (_LONGEST_PAUSE if worker is None else _APART_SECONDS))

    def take(self, version: HookVersion) -> Worker | None:
        """Hand out a worker that can become one of the version's."""
        if version.network or WorkerKind.of(version) != _KIND:
            return None
        if 0 < self._size < BURST:
            self._size = BURST
            self._refill.by(monotonic() + _AFTER_SECONDS)
        for worker in self._workers:
            if worker.awaits_script:
                self._workers.remove(worker)
                self._pause = _AFTER_SECONDS
                self._refill.by(monotonic() + _AFTER_SECONDS)
                return worker
        return None

    def give_way(self) -> bool:
        """Let one worker go, so that a hook can have its place; False if there is none."""
        if not self._workers:
            return False
        self._workers.pop().end(OutcomeKind.CRASHED, "It was not needed.")
        self._refill.by(monotonic() + _LONGEST_PAUSE)
        return True

    def end(self) -> None:
        """Let all go, and start none any more."""
        self._size = 0
        self._refill.silence()
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.end(OutcomeKind.CRASHED, "The server is stopping.")

    # What workers tell (``owners.Owner``).

    def load_message(self, egress: Mapping[str, Any] | None) -> None:
        """Have a worker that is confined wait for another owner."""

    def ready(self) -> None:
        """Never happens: without a script no worker is ready."""

    def freed(self) -> None:
        """Never happens: without a script no call is answered."""

    def refused(self, kind: OutcomeKind, data: bytes | None, detail: str) -> None:  # noqa: ARG002 (an Owner's signature)
        """Tell why a worker did not come to wait."""
        logger.warning("a Node.js worker in reserve: %s", detail)

    def lost(self, number: int, unstarted: list[Ticket]) -> None:  # noqa: ARG002 (an Owner's signature)
        """Replace a worker that ended; later each time, as long as none is taken."""
        workers = [worker for worker in self._workers if worker.number != number]
        if len(workers) < len(self._workers):
            self._workers = workers
            self._refill.by(monotonic() + self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def emit(self, ticket: Ticket | None, level: int, stream: int, text: str) -> None:  # noqa: ARG002 (an Owner's signature)
        """Log what Node.js says when it cannot start."""
        logger.warning("a Node.js worker in reserve said: %s", text)

    def mask(self, text: str, /) -> str:
        """Hide nothing: without a script there is no secret."""
        return text
