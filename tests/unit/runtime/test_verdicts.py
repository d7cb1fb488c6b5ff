"""How the end of a worker reads."""

from __future__ import annotations

import signal

import pytest

from app.domain.outcomes import Limits, OutcomeKind
from app.runtime.inside import protocol
from app.runtime.verdicts import verdict_on

LIMITS = Limits(memory_bytes=64 << 20)


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (0, OutcomeKind.CRASHED, "exit code 0"),
        (3, OutcomeKind.CRASHED, "exit code 3"),
        (-signal.SIGSEGV, OutcomeKind.CRASHED, "SIGSEGV"),
        (-signal.SIGSYS, OutcomeKind.CRASHED, "SIGSYS"),
        (-60, OutcomeKind.CRASHED, "signal 60"),
        (-signal.SIGKILL, OutcomeKind.OUT_OF_MEMORY, "kernel"),
        (protocol.EXIT_OUT_OF_MEMORY, OutcomeKind.OUT_OF_MEMORY, "64 MiB"),
        (protocol.EXIT_UNCONFINED, OutcomeKind.CRASHED, "could not be confined: EPERM"),
        (None, OutcomeKind.CRASHED, "starts workers"),
    ],
)
def test_an_end_is_judged_by_its_status(status: int | None, kind: OutcomeKind, told: str) -> None:
    judged, detail = verdict_on(status, LIMITS, "EPERM")
    assert judged is kind
    assert told in detail
    assert detail.endswith(".") or "EPERM" in detail
