"""The server's side of one worker: send calls, take answers, keep deadlines, judge ends.

Rules, for a worker that may at any time be hostile:
1. A script is sent only to a worker that said it is confined, and whose process we can kill.
2. A sync worker answers in order; only the oldest unanswered call counts as started, its clock
   begins when it becomes the oldest. In an async worker every call counts as started when sent.
3. Whoever sends what the protocol does not allow, or more than it may, is killed.
4. Calls that had not started are handed back; the others are settled with what is known.
"""

from __future__ import annotations

import asyncio
import json
from time import monotonic
from typing import cast

from app.domain.errors import HookledgerError
from app.domain.outcomes import Level, OutcomeKind
from app.runtime import verdicts
from app.runtime.alarms import Alarm
from app.runtime.egress.proxy import NoNetwork, WorkerProxy
from app.runtime.in_flight import InFlight
from app.runtime.inside import protocol
from app.runtime.inside.protocol import Violation
from app.runtime.lines import Lines
from app.runtime.outbox import Outbox
from app.runtime.owners import Owner
from app.runtime.pace import Pace
from app.runtime.processes import Process
from app.runtime.stages import EXIT_SECONDS, LOAD_SECONDS, State
from app.runtime.tickets import Ticket
from app.runtime.verdicts import Verdict


class Worker(asyncio.Protocol):
    """One worker, from before its process exists until after it is gone."""

    def __init__(self, number: int, owner: Owner, layers: frozenset[str], output: int) -> None:
        self.number = number
        self.born = self.idle_since = monotonic()
        limits = owner.limits
        self._take_owner(owner)
        self._layers = layers
        self._process = Process(output, self._raw_line, limits.log_bytes_per_call)
        self._transport: asyncio.Transport | None = None
        self._outbox: Outbox | None = None
        self._state = State.STARTING
        self._confined = False
        self._was_ready = False
        self._lost = False
        self._pace = Pace(is_async=False)
        self._calls = InFlight()
        self.taken = 0
        """How many calls it was ever sent; the last one's number."""
        self.egress: WorkerProxy | NoNetwork = NoNetwork()
        self._alarm = Alarm(self._overdue)
        self._alarm.by(monotonic() + LOAD_SECONDS)

    @property
    def load(self) -> int:
        """How many calls are in flight."""
        return len(self._calls)

    @property
    def is_ready(self) -> bool:
        """Whether the script is loaded."""
        return self._state is State.READY

    @property
    def has_room(self) -> bool:
        """Whether another call may be sent now."""
        return self._state is State.READY and len(self._calls) < self._pace.depth

    @property
    def awaits_script(self) -> bool:
        """Whether it is confined and was given no script yet."""
        return self._state is State.STARTING and self._confined and self._process.attached

    def adopt(self, owner: Owner) -> None:
        """Belong to another owner, who has a script; only a worker that awaits one."""
        self._take_owner(owner)
        self._alarm.by(monotonic() + LOAD_SECONDS)
        asyncio.get_running_loop().call_soon(self._send_script)

    @property
    def is_quick(self) -> bool:
        """Whether another call is answered before a second process were awake to take it."""
        return self._state is State.READY and len(self._calls) < self._pace.quick

    def send(self, ticket: Ticket) -> None:
        """Send a call; only to a worker that has room."""
        number = self.taken = self.taken % 0xFFFF_FFFF + 1
        if not self._calls:
            self._process.thaw()
        if not self._calls or self._calls.is_async:
            self._begin(ticket)
        self._calls[number] = ticket
        assert self._outbox is not None  # noqa: S101 (a ready worker has one)
        # An idle worker is to begin; a busy one has something to do until the loop comes round.
        self._outbox.post(ticket.message(number), at_once=len(self._calls) == 1)

    def freeze(self) -> None:
        """Stop an idle process, and what threads a hook left in it, until it is sent a call."""
        if self._state is State.READY and not self._calls:
            self._process.freeze()

    def end(self, kind: OutcomeKind, detail: str) -> None:
        """Kill it; started calls end as told, the others are handed back."""
        self._end((kind, detail))

    def attach(self, descriptor: int) -> None:
        """Take over the process descriptor."""
        self._process.attach(descriptor)
        self._send_script()

    def never_started(self, reason: str, *, try_again: bool) -> None:
        """Note that there is and will be no process."""
        self._process.exited(None)
        verdict = OutcomeKind.CRASHED, f"The hook's worker could not start: {reason}."
        if not try_again:
            self._owner.refused(verdict[0], None, verdict[1])
        self._end(verdict)

    def exited(self, status: int | None) -> None:
        """Note how the process ended; what it sent before is read before it is judged."""
        self._process.exited(status)
        if self._transport is None or self._transport.is_closing():
            self._judge()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (``asyncio.Protocol``)."""
        # A stream socket's; uvloop's is not derived from the class it stands for.
        self._transport = cast("asyncio.Transport", transport)
        self._outbox = Outbox(self._transport)

    def data_received(self, data: bytes) -> None:
        """Take messages (``asyncio.Protocol``)."""
        settled = False
        try:
            for number, kind, body in self._frames.feed(data):
                if self._state is State.ENDED:
                    return
                if kind in (protocol.RESULT, protocol.ERROR):
                    if not settled:
                        # What was written past Python came before all of these answers.
                        self._process.settle_output()
                        settled = True
                    self._take_answer(number, kind, body)
                else:
                    self._take_other(number, kind, body)
        except Violation as violation:
            self._convict(str(violation))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        """Judge now, or when the process has had the time to end (``asyncio.Protocol``)."""
        if self._process.gone:
            self._judge()
        elif self._state is not State.ENDED:
            self._state = State.ENDED
            self._alarm.silence()
            self._alarm.by(monotonic() + EXIT_SECONDS)

    def network_line(self, level: Level, text: str) -> None:
        """Take a line about one of its connections."""
        self._lines.take_network(level, text, self._calls.values())

    def _take_owner(self, owner: Owner) -> None:
        limits = owner.limits
        self._owner = owner
        self._frames = protocol.Frames(max(limits.result_bytes + 1, 2 * protocol.RECEIVE_BYTES))
        self._result_bytes = limits.result_bytes
        self._lines = Lines(owner, limits)

    def _begin(self, ticket: Ticket) -> None:
        ticket.started = monotonic()
        self.egress.renew()
        self._alarm.by(ticket.deadline)

    def _take_answer(self, number: int, kind: int, body: bytes) -> None:
        if not self._calls.is_turn_of(number):
            raise Violation("answered a call that was not its turn")
        ticket = self._calls[number]
        if len(body) > self._result_bytes:
            raise Violation(f"answered {len(body)} bytes; {self._result_bytes} are the most")
        self.egress.report()
        outcome = OutcomeKind.SUCCEEDED if kind == protocol.RESULT else OutcomeKind.ERRORED
        self._pace.learn(ticket.settle(outcome, body or None, worker=self.number))
        self._close_call(number)

    def _close_call(self, number: int) -> None:
        del self._calls[number]
        self._lines.answered()
        if not self._calls:
            self.idle_since = monotonic()
        elif not self._calls.is_async:
            self._begin(next(iter(self._calls.values())))
        self._owner.freed()

    def _take_other(self, number: int, kind: int, body: bytes) -> None:
        if kind == protocol.LOG:
            self._lines.take(number, self._calls.get(number), body)
        elif kind == protocol.SKIPPED and self._calls.may_be_skipped(number):
            ticket = self._calls[number]
            ticket.forget_start()
            ticket.conclude(verdicts.overloaded(ticket.call.timeout, verdicts.BUSY))
            self._close_call(number)
        elif kind == protocol.CONFINED and self._state is State.STARTING and not self._confined:
            lacking = self._layers - set(json.loads(body))
            if lacking:
                raise Violation(f"is not confined by {', '.join(sorted(lacking))}")
            self._confined = True
            self._send_script()
        elif kind == protocol.READY and self._state is State.LOADING:
            self._calls.is_async = body == b"\x01"
            self._pace = Pace(is_async=self._calls.is_async, most=self._owner.most_in_flight)
            self._state = State.READY
            self._was_ready = True
            self._alarm.silence()
            self.idle_since = monotonic()
            self._owner.ready()
        elif kind == protocol.LOAD_FAILED and self._state is State.LOADING:
            self._refuse(OutcomeKind.ERRORED, body)
        else:
            raise Violation(f"sent a message of kind {kind:#x} where it has no place")

    def _raw_line(self, text: str) -> None:
        self._lines.take_raw(text, self._calls.values())

    def _send_script(self) -> None:
        if self._state is not State.STARTING or not (self._confined and self._process.attached):
            return
        try:
            body = self._owner.load_message(self.egress.load)
        except HookledgerError as error:
            self._refuse(OutcomeKind.CRASHED, None, str(error))
            return
        if body is None:
            self._alarm.silence()
            return
        self._state = State.LOADING
        assert self._transport is not None  # noqa: S101 (it said that it is confined)
        self._transport.write(protocol.message(0, protocol.LOAD, body))

    def _overdue(self) -> None:
        if self._state is State.ENDED:
            self._convict("closed its connection")
        elif self._state is State.LOADING:
            self._refuse(*verdicts.LOADING_TOOK_TOO_LONG)
        elif self._state is State.STARTING:
            self._refuse(*verdicts.STARTING_TOOK_TOO_LONG)
        else:
            self._end_late_calls()

    def _end_late_calls(self) -> None:
        late = self._calls.late(monotonic())
        if not late:
            if self._calls:
                self._alarm.by(self._calls.next_deadline())
            return
        self._process.settle_output()
        for ticket in late:
            ticket.conclude(verdicts.timed_out(ticket.call.timeout))
        self._end(verdicts.innocent("passed its deadline"))

    def _convict(self, what: str) -> None:
        self._conclude(verdicts.violated(what))

    def _judge(self) -> None:
        if not self._lost:
            judge = verdicts.verdict_on if self._confined else verdicts.verdict_on_a_start
            self._conclude(judge(self._process.status, self._owner.limits, self._lines.last_raw))

    def _conclude(self, verdict: Verdict) -> None:
        """End with a verdict on the calls that run, or on the script if it is not yet loaded."""
        no_fault_of_the_script = self._process.gone and self._process.status is None
        if self._was_ready or no_fault_of_the_script:
            self._end(verdict)
        else:
            self._refuse(verdict[0], None, verdict[1])

    def _refuse(self, kind: OutcomeKind, data: bytes | None, detail: str = "") -> None:
        self._owner.refused(kind, data, detail)
        self._end((kind, detail))

    def _end(self, verdict: Verdict) -> None:
        """Kill it, settle what had started with the verdict, hand back what had not."""
        if self._lost:
            return
        self._lost = True
        self._state = State.ENDED
        self._alarm.silence()
        self._process.settle_output()
        self._process.kill()
        self.egress.close()
        if self._transport is not None:
            self._transport.abort()
        calls, self._calls = self._calls, InFlight()
        kind, detail = verdict
        self._owner.lost(self.number, calls.settle_started(kind, self._owner.mask(detail)))
