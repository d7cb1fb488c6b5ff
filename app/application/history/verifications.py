"""Verify the whole history beside serving it: one verification at a time, with its progress."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from app.application.history.verify_history import Progress, Report, Verdict
from app.application.ports import Clock
from app.domain.errors import HookledgerError

_log = logging.getLogger("hookledger.transparency")

_BREATH = 0.002
"""Seconds that others get after each block of 256 events: hashing holds the interpreter."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of verifying a history."""

    report: Report
    refused: tuple[str, ...]
    """Checkpoints that are not what they should be, each a sentence."""
    warnings: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """What came out; a forged checkpoint counts as an alteration."""
        return Verdict.ALTERED if self.refused else self.report.verdict


@dataclass(frozen=True, slots=True)
class VerificationRun:
    """A verification that goes on, or how it ended."""

    actor: str
    begun_at: datetime
    total: int
    """Events there were when it began."""
    done: int = 0
    ended_at: datetime | None = None
    found: Verification | None = None
    failure: str | None = None
    """Why it could not be found out."""


class VerificationDesk:
    """Runs verifications in a thread of their own; used from any thread."""

    def __init__(
        self,
        verify: Callable[[Progress], Verification],
        count: Callable[[], int],
        clock: Clock,
    ) -> None:
        """Make the desk; ``verify`` is blocking and calls back with the events done."""
        self._verify = verify
        self._count = count
        self._clock = clock
        self._starting = threading.Lock()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._latest: VerificationRun | None = None

    @property
    def latest(self) -> VerificationRun | None:
        """The run that goes on, else the last one since the server's start."""
        return self._latest

    def start(self, actor: str) -> VerificationRun:
        """Begin one unless one goes on, and return the one that does. Blocking."""
        with self._starting:
            if self._latest is None or self._latest.ended_at is not None:
                run = VerificationRun(actor, self._clock(), self._count())
                self._latest = run
                self._thread = threading.Thread(target=self._run, args=(run,), name="verify")
                self._thread.start()
            return self._latest

    def close(self) -> None:
        """Give up what goes on, and wait for its end: a moment."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, begun: VerificationRun) -> None:
        try:
            found = self._verify(lambda done: self._proceed(begun, done))
            ended = replace(begun, found=found, done=found.report.events)
        except _GivenUp:
            ended = replace(begun, failure="The server was stopped.")
        except HookledgerError as error:
            ended = replace(begun, failure=str(error))
        except Exception as error:  # noqa: BLE001 (whatever it is, somebody waits for an outcome)
            _log.exception("verification_failed")
            ended = replace(begun, failure=f"It failed by a bug: {error}. The log says more.")
        self._latest = replace(ended, ended_at=self._clock())

    def _proceed(self, begun: VerificationRun, done: int) -> None:
        self._latest = replace(begun, done=done)
        if self._ending.wait(_BREATH):
            raise _GivenUp


class _GivenUp(Exception):
    """The server ends."""
