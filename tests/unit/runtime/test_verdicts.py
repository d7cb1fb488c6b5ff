"""How the end of a worker reads."""

from __future__ import annotations

import signal

import pytest

from app.domain.outcomes import Limits, OutcomeKind
from app.runtime.inside import protocol
from app.runtime.verdicts import verdict_on, verdict_on_a_start

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
        (protocol.EXIT_UNCONFINED, OutcomeKind.CRASHED, "exit code 78"),
        (None, OutcomeKind.CRASHED, "starts workers"),
    ],
)
def test_an_end_is_judged_by_its_status(status: int | None, kind: OutcomeKind, told: str) -> None:
    judged, detail = verdict_on(status, LIMITS, "EPERM")
    assert judged is kind
    assert told in detail
    assert detail.endswith(".")


def test_only_who_was_not_confined_can_have_ended_for_it() -> None:
    judged, detail = verdict_on_a_start(protocol.EXIT_UNCONFINED, LIMITS, "EPERM")
    assert judged is OutcomeKind.CRASHED
    assert detail == "The hook's worker could not be confined: EPERM"
    assert verdict_on_a_start(3, LIMITS, "EPERM") == verdict_on(3, LIMITS, "EPERM")


@pytest.mark.parametrize(
    "last_words",
    [
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "FATAL ERROR: Committing semi space failed. Allocation failed - JavaScript heap",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "# Fatal process OOM in Zone",
    ],
)
@pytest.mark.parametrize("status", [-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGTRAP])
def test_node_says_in_words_that_it_died_for_lack_of_memory(status: int, last_words: str) -> None:
    judged, detail = verdict_on(status, LIMITS, last_words)
    assert judged is OutcomeKind.OUT_OF_MEMORY
    assert "64 MiB" in detail


def test_words_alone_prove_nothing() -> None:
    judged, _ = verdict_on(3, LIMITS, "JavaScript heap out of memory")
    assert judged is OutcomeKind.CRASHED


def test_an_error_that_nothing_caught_is_told() -> None:
    judged, detail = verdict_on(protocol.EXIT_UNCAUGHT, LIMITS, "Error: late")
    assert judged is OutcomeKind.CRASHED
    assert detail == "The hook's worker ended after an error that nothing caught: Error: late"
