"""All workers of one hook version, and the calls that wait for one of them.

Grows while calls wait, shrinks when workers idle. A script that does not load is not tried again
for every call, nor a worker that keeps dying replaced at once: both wait longer each time.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Protocol

from app.application.ports import Clock
from app.domain.errors import HookledgerError, Stalled
from app.domain.outcomes import HookVersion, Limits, LogLine, Outcome, OutcomeKind
from app.runtime import verdicts
from app.runtime.alarms import Alarm
from app.runtime.inside import protocol
from app.runtime.tickets import Ticket
from app.runtime.workers import Worker
from app.telemetry import Mask, mask_for

logger = logging.getLogger("hookledger.runtime")

OnLog = Callable[[LogLine], None]

_DEATHS_BEFORE_PAUSE = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0


class Roster(Protocol):
    """Who has workers made, and bounds their number over all pools."""

    def hire(self, pool: Pool) -> Worker | None:
        """Begin to start a worker; None if there is no room now, then ``grow`` is called later."""
        ...


class Pool:
    """One version's workers; ``checks`` when it compiles scripts instead of running one."""

    def __init__(
        self,
        version: HookVersion,
        roster: Roster,
        *,
        on_log: OnLog,
        clock: Clock,
        checks: bool = False,
    ) -> None:
        self.version = version
        self.last_used = monotonic()
        self.kept = False
        """Whether a worker is to be ready even if no call comes."""
        self.released = False
        """Whether it was kept once: then it ends as soon as it is idle."""
        self._mask: Mask = str
        self._roster = roster
        self._on_log = on_log
        self._clock = clock
        self._checks = checks
        self._workers: list[Worker] = []
        self._waiting: deque[Ticket] = deque()
        self._refusal: Outcome | None = None
        self._ended: Outcome | None = None
        self._deaths = 0
        self._not_before = 0.0
        self._expiry = Alarm(self._expire)
        self._pause = Alarm(self.grow)
        self._settled: list[Callable[[], None]] = []

    @property
    def limits(self) -> Limits:
        """What a worker may use."""
        return self.version.limits

    @property
    def is_idle(self) -> bool:
        """Whether no call waits or runs."""
        return not self._waiting and all(worker.load == 0 for worker in self._workers)

    @property
    def workers(self) -> tuple[Worker, ...]:
        """Those that start or serve."""
        return tuple(self._workers)

    def submit(self, ticket: Ticket) -> None:
        """Run a call as soon as a worker has room."""
        self.last_used = ticket.asked
        if not self._waiting:
            worker = self._with_room()
            if worker is not None:
                worker.send(ticket)
                return
        self._waiting.append(ticket)
        self._expiry.by(ticket.start_before)
        self.grow()

    def grow(self) -> None:
        """Start a worker if one is wanted, none is starting, and none died too recently."""
        wanted = bool(self._waiting) or (self.kept and not self._workers)
        if self._ended is not None:
            self._refuse_waiting(self._ended)
            return
        if not wanted or len(self._workers) >= self.limits.max_workers:
            return
        if any(not worker.is_ready for worker in self._workers):
            return
        now = monotonic()
        if now < self._not_before:
            if self._refusal is not None:
                self._refuse_waiting(self._refusal)
            self._pause.by(self._not_before)
            return
        worker = self._roster.hire(self)
        if worker is not None:
            self._workers.append(worker)

    def when_settled(self, then: Callable[[], None]) -> None:
        """Call ``then`` when a worker is ready or the script was refused."""
        if self._refusal is not None or any(worker.is_ready for worker in self._workers):
            then()
        else:
            self._settled.append(then)

    def retire(self, worker: Worker) -> None:
        """Let an idle worker go."""
        self._workers.remove(worker)
        worker.end(OutcomeKind.CRASHED, "The worker was retired.")

    def retire_idle(self, since: float, *, keep: int) -> None:
        """Let all but ``keep`` of the workers go that have idled since before ``since``."""
        for worker in self.workers[keep:]:
            if worker.is_ready and worker.load == 0 and worker.idle_since <= since:
                self.retire(worker)

    def end(self, detail: str) -> None:
        """Kill all workers and settle all calls; nothing is started any more."""
        self._ended = Outcome(OutcomeKind.OVERLOADED, None, detail)
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.end(OutcomeKind.CRASHED, detail)
        self._refuse_waiting(self._ended)
        self._expiry.silence()
        self._pause.silence()
        self._announce()

    # What workers tell (``workers.Owner``).

    def load_message(self, egress: Mapping[str, Any] | None) -> bytes:
        """Open the secrets and return what a worker is to run; raise ``HookledgerError``."""
        version = self.version
        try:
            secrets = dict(version.open_secrets())
        except HookledgerError:
            raise
        except Exception as error:
            logger.exception("the secrets of hook %s could not be opened", version.name)
            raise Stalled(f"The secrets of hook `{version.name}` could not be opened.") from error
        self._mask = mask_for(secrets.values())
        return json.dumps(
            {
                "script": version.script,
                "file": "hook.py",
                "name": version.name,
                "parameters": version.parameters,
                "secrets": secrets,
                "log_bytes": version.limits.log_bytes_per_call,
                "egress": egress,
                "checks": self._checks,
            }
        ).encode()

    def ready(self) -> None:
        """Give the new worker what waits."""
        self._refusal = None
        self._announce()
        self._dispatch()

    def freed(self) -> None:
        """Give the worker that answered what waits; what answers is in order."""
        self._deaths = 0
        if self._waiting:
            self._dispatch()

    def refused(self, kind: OutcomeKind, data: bytes | None, detail: str) -> None:
        """Answer all that wait, and those to come for a while, with the reason."""
        if any(worker.is_ready for worker in self._workers):
            # Another worker has loaded the same script: what failed was this one.
            logger.warning("a worker of hook %s: %s", self.version.name, self.mask(detail))
            return
        self._refusal = Outcome(kind, data, self.mask(detail))
        self._deaths = max(self._deaths, _DEATHS_BEFORE_PAUSE - 1)
        if kind is not OutcomeKind.ERRORED:
            logger.warning("hook %s: %s", self.version.name, self.mask(detail))
        self._refuse_waiting(self._refusal)
        self._announce()

    def lost(self, number: int, unstarted: list[Ticket]) -> None:
        """Take back calls that never started, in their order, and replace the worker."""
        died = [worker for worker in self._workers if worker.number == number]
        for ticket in reversed(unstarted):
            self._waiting.appendleft(ticket)
            self._expiry.by(ticket.start_before)
        if died:
            self._workers.remove(died[0])
            self._deaths += 1
        if died and self._deaths >= _DEATHS_BEFORE_PAUSE:
            doublings = min(self._deaths - _DEATHS_BEFORE_PAUSE, 16)
            self._not_before = monotonic() + min(_FIRST_PAUSE * 2**doublings, _LONGEST_PAUSE)
        self._dispatch()

    def emit(self, ticket: Ticket | None, level: int, stream: int, text: str) -> None:
        """Mask a line and pass it on."""
        line = LogLine(
            ticket.call.invocation_id if ticket is not None else None,
            self.version.hook_id,
            self._clock(),
            protocol.LEVELS[level],
            protocol.STREAMS[stream],
            self.mask(text),
        )
        if ticket is not None:
            ticket.keep(line)
        self._on_log(line)

    def mask(self, text: str, /) -> str:
        """Hide the values of this version's secrets."""
        return self._mask(text)

    def _dispatch(self) -> None:
        while self._waiting and (worker := self._with_room()) is not None:
            ticket = self._waiting.popleft()
            if not ticket.future.done():
                worker.send(ticket)
        self.grow()

    def _with_room(self) -> Worker | None:
        best = None
        for worker in self._workers:
            if worker.has_room and (best is None or worker.load < best.load):
                best = worker
        return best

    def _refuse_waiting(self, refusal: Outcome) -> None:
        waiting, self._waiting = self._waiting, deque()
        for ticket in waiting:
            ticket.settle(refusal.kind, refusal.data, refusal.detail)

    def _expire(self) -> None:
        now = monotonic()
        waiting, self._waiting = self._waiting, deque()
        for ticket in waiting:
            if ticket.future.done():
                continue
            if ticket.start_before <= now:
                kind, detail = verdicts.overloaded(ticket.call.timeout, self._state())
                ticket.settle(kind, detail=detail)
            else:
                self._waiting.append(ticket)
                self._expiry.by(ticket.start_before)

    def _state(self) -> str:
        if any(worker.is_ready for worker in self._workers):
            return verdicts.BUSY
        if self._workers:
            return "the script's top level was still running in a new one"
        if monotonic() < self._not_before:
            return "the last ones died one after another; the next is started after a pause"
        return "all that may run at once were busy with other hooks"

    def _announce(self) -> None:
        settled, self._settled = self._settled, []
        for then in settled:
            then()
