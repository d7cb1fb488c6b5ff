"""A call on its way through the runtime: waiting, started, answered."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic

from app.domain.outcomes import Call, LogLine, Outcome, OutcomeKind
from app.masking.masks import LineMasker
from app.runtime.inside import protocol
from app.runtime.verdicts import Verdict


class Ticket:
    """One call; times are seconds of the monotonic clock."""

    __slots__ = (
        "_masker",
        "asked",
        "call",
        "future",
        "last_lines",
        "log_bytes",
        "start_before",
        "started",
    )

    def __init__(self, call: Call, future: asyncio.Future[Outcome]) -> None:
        self.call = call
        self.future = future
        self.asked = monotonic()
        self.start_before = self.asked + call.timeout
        self.started = 0.0
        """0 as long as the hook cannot have started."""
        self.log_bytes = 0
        self.last_lines: deque[LogLine] | None = None
        self._masker: LineMasker | None = None

    @property
    def masker(self) -> LineMasker:
        """What masks this call's lines; made for the first, since most calls write none."""
        if self._masker is None:
            self._masker = LineMasker()
        return self._masker

    @property
    def deadline(self) -> float:
        """When the started call is killed."""
        return self.started + self.call.timeout

    def message(self, number: int) -> bytes:
        """Write the call as a worker reads it."""
        call = self.call
        invocation_id = call.invocation_id.encode()[:255]
        return protocol.call_message(
            number, self.start_before, call.timeout, invocation_id, call.payload, call.request
        )

    def keep(self, line: LogLine) -> None:
        """Remember a line, if it is among the last."""
        if self.last_lines is None:
            self.last_lines = deque(maxlen=self.call.kept_lines)
        self.last_lines.append(line)

    def conclude(self, verdict: Verdict) -> None:
        """Answer the caller with a verdict of the platform."""
        kind, detail = verdict
        self.settle(kind, detail=detail)

    def settle(
        self,
        kind: OutcomeKind,
        data: bytes | None = None,
        detail: str = "",
        worker: int | None = None,
    ) -> float:
        """Answer the caller, unless it no longer waits; return how long the hook ran."""
        now = monotonic()
        started = self.started or now
        ran = now - started
        if not self.future.done():
            self.future.set_result(
                Outcome(
                    kind,
                    data,
                    detail,
                    tuple(self.last_lines) if self.last_lines else (),
                    started - self.asked,
                    ran,
                    worker,
                )
            )
        return ran

    def forget_start(self) -> None:
        """Undo a start that never happened, so that another worker can take the call."""
        self.started = 0.0
        self.last_lines = None
        self.log_bytes = 0
