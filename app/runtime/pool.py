"""All workers of one hook version, and the calls that wait for one of them.

Grows while calls wait, shrinks when workers idle, replaces those that have served their time. A
script that does not load is not tried again for every call, nor a worker that keeps dying replaced
at once: both wait longer each time.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Protocol

from app.application.ports import Clock
from app.domain.errors import HookledgerError, Stalled
from app.domain.outcomes import HookVersion, Limits, LogLine, Outcome, OutcomeKind
from app.masking.masks import NOTHING, LineMasker, Masker
from app.runtime import verdicts
from app.runtime.alarms import Alarm
from app.runtime.inside import protocol
from app.runtime.load_messages import write_load
from app.runtime.setbacks import Setbacks
from app.runtime.staff import Staff
from app.runtime.tickets import Ticket
from app.runtime.workers import Worker

logger = logging.getLogger("hookledger.runtime")

OnLog = Callable[[LogLine], None]


class Roster(Protocol):
    """Who has workers made, and bounds their number and memory over all pools."""

    def hire(self, pool: Pool) -> Worker | None:
        """Begin to start a worker; None if there is no room now, then ``grow`` is called later."""
        ...

    def packages_folder(self, name: str) -> str:
        """Return the path of a folder of packages, as workers see it; raise ``Stalled``."""
        ...

    def shortage(self, pool: Pool) -> str:
        """Say why a pool gets no worker, completing the sentence "No worker was free: …"."""
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
        self._mask = NOTHING
        self._outside = LineMasker()
        """For lines that belong to no call."""
        self._roster = roster
        self._on_log = on_log
        self._clock = clock
        self._checks = checks
        self._staff = Staff(version.lifecycle, version.limits)
        self._counts_calls = self._staff.counts_calls
        self._waiting: deque[Ticket] = deque()
        self._refusal: Outcome | None = None
        self._ended: Outcome | None = None
        self._setbacks = Setbacks()
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
        return not self._waiting and all(worker.load == 0 for worker in self._staff)

    @property
    def is_waited_for(self) -> bool:
        """Whether a call waits for a worker."""
        return bool(self._waiting)

    @property
    def workers(self) -> tuple[Worker, ...]:
        """Those that start, serve or finish their calls."""
        return tuple(self._staff)

    def submit(self, ticket: Ticket) -> None:
        """Run a call as soon as a worker has room."""
        self.last_used = ticket.asked
        if not self._waiting:
            worker = self._staff.with_room()
            if worker is not None:
                worker.send(ticket)
                if self._counts_calls:
                    self._count(worker)
                return
        self._waiting.append(ticket)
        self._expiry.by(ticket.start_before)
        self.grow()

    def grow(self) -> None:
        """Start the workers that are lacking, unless some died or were refused too recently."""
        if self._ended is not None:
            self._refuse_waiting(self._ended)
            return
        while self._staff.lacks(len(self._waiting), kept=self.kept):
            if monotonic() < self._setbacks.until:
                if self._refusal is not None:
                    self._refuse_waiting(self._refusal)
                self._pause.by(self._setbacks.until)
                return
            worker = self._roster.hire(self)
            if worker is None:
                return
            self._staff.serving.append(worker)

    def start_ahead(self) -> None:
        """Start a first worker, though no call waits and none is kept yet."""
        if not self.workers and (worker := self._roster.hire(self)) is not None:
            self._staff.serving.append(worker)

    def when_settled(self, then: Callable[[], None]) -> None:
        """Call ``then`` when a worker is ready or the script was refused."""
        if self._refusal is not None or self._staff.any_ready:
            then()
        else:
            self._settled.append(then)

    def retire(self, worker: Worker) -> None:
        """Let an idle worker go."""
        self._staff.remove(worker.number)
        worker.end(OutcomeKind.CRASHED, "The worker was retired.")

    def keep_house(self, idle_since: float) -> None:
        """Let superfluous workers go that idle since then, and replace those that are too old."""
        for worker in self._staff.superfluous(idle_since, kept=self.kept):
            self.retire(worker)
        self.grow()

    def end(self, detail: str) -> None:
        """Kill all workers and settle all calls; nothing is started any more."""
        self._ended = Outcome(OutcomeKind.OVERLOADED, None, detail)
        for worker in self.workers:
            self._staff.remove(worker.number)
            worker.end(OutcomeKind.CRASHED, detail)
        self._refuse_waiting(self._ended)
        self._expiry.silence()
        self._pause.silence()
        self._announce()

    # What workers ask and tell (``workers.Owner``).

    @property
    def most_in_flight(self) -> int:
        """How many calls a worker may be sent at a time."""
        return self._staff.most_in_flight

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
        self._mask = Masker(secrets.values())
        packages = version.packages
        folder = packages and self._roster.packages_folder(packages)
        return write_load(version, secrets, packages=folder, egress=egress, checks=self._checks)

    def ready(self) -> None:
        """Give the new worker what waits, and let the one that it replaces leave."""
        self._refusal = None
        self._setbacks.loaded()
        self._staff.relieve()
        self._announce()
        self._see_off()
        self._dispatch()

    def freed(self) -> None:
        """Give the worker that answered what waits; what answers is in order."""
        self._setbacks.answered()
        if self._staff.leaving:
            self._see_off()
        if self._waiting:
            self._dispatch()

    def refused(self, kind: OutcomeKind, data: bytes | None, detail: str) -> None:
        """Answer all that wait, and those to come for a while, with the reason."""
        self._setbacks.refused()
        if self._staff.any_ready:
            # Another worker has loaded the same script: what failed was this one.
            logger.warning("a worker of hook %s: %s", self.version.name, self.mask(detail))
            return
        self._refusal = Outcome(kind, data, self.mask(detail))
        if kind is not OutcomeKind.ERRORED:
            logger.warning("hook %s: %s", self.version.name, self.mask(detail))
        self._refuse_waiting(self._refusal)
        self._announce()

    def lost(self, number: int, unstarted: list[Ticket]) -> None:
        """Take back calls that never started, in their order, and replace the worker."""
        for ticket in reversed(unstarted):
            self._waiting.appendleft(ticket)
            self._expiry.by(ticket.start_before)
        if self._staff.remove(number) is not None:
            self._setbacks.died()
        self._dispatch()

    def emit(self, ticket: Ticket | None, level: int, stream: int, text: str) -> None:
        """Mask a line and pass it on."""
        masker = self._outside if ticket is None else ticket.masker
        line = LogLine(
            ticket.call.invocation_id if ticket is not None else None,
            self.version.hook_id,
            self._clock(),
            protocol.LEVELS[level],
            protocol.STREAMS[stream],
            masker(self._mask, stream, text),
        )
        if ticket is not None:
            ticket.keep(line)
        self._on_log(line)

    def mask(self, text: str, /) -> str:
        """Hide the values of this version's secrets."""
        return self._mask(text)

    def _dispatch(self) -> None:
        while self._waiting and (worker := self._staff.with_room()) is not None:
            ticket = self._waiting.popleft()
            if not ticket.future.done():
                worker.send(ticket)
                self._staff.sent(worker)
        self.grow()

    def _count(self, worker: Worker) -> None:
        self._staff.sent(worker)
        self.grow()

    def _see_off(self) -> None:
        for worker in self._staff.finished():
            self.retire(worker)

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
        if self._staff.any_ready:
            return verdicts.BUSY
        if self._staff.serving:
            return "the script's top level was still running in a new one"
        if monotonic() < self._setbacks.until:
            return "the last ones died one after another; the next is started after a pause"
        return self._roster.shortage(self)

    def _announce(self) -> None:
        settled, self._settled = self._settled, []
        for then in settled:
            then()
