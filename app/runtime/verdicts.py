"""How a worker's end reads to the caller of its hook: an outcome and a sentence."""

from __future__ import annotations

import re
import signal

from app.domain.outcomes import Limits, OutcomeKind
from app.runtime.inside.protocol import EXIT_OUT_OF_MEMORY, EXIT_UNCAUGHT, EXIT_UNCONFINED

Verdict = tuple[OutcomeKind, str]

BUSY = "they were busy with other calls"

_LACKED_MEMORY = re.compile(r"out of memory|[Aa]llocation failed|bad_alloc|OOM")
"""What V8 and the C++ library say before they abort."""

LOADING_TOOK_TOO_LONG = (
    OutcomeKind.TIMED_OUT,
    None,
    "The top level of the hook's script did not end in time; its worker was killed.",
)
STARTING_TOOK_TOO_LONG = (
    OutcomeKind.CRASHED,
    None,
    "The hook's worker did not start in time; it was killed.",
)


def innocent(cause: str) -> Verdict:
    """Judge a started call of an ``async def`` hook whose worker was killed for another's sake."""
    detail = (
        f"Another call in the same worker {cause}; the worker was killed while this call was "
        "running in it. Whether its effects happened is unknown."
    )
    return OutcomeKind.CRASHED, detail


def verdict_on_a_start(status: int | None, limits: Limits, last_words: str) -> Verdict:
    """Judge an end before the worker said that it is confined; as ``verdict_on``."""
    if status == EXIT_UNCONFINED:
        return OutcomeKind.CRASHED, f"The hook's worker could not be confined: {last_words}"
    return verdict_on(status, limits, last_words)


def verdict_on(status: int | None, limits: Limits, last_words: str) -> Verdict:
    """Judge an end that we did not cause.

    ``status`` as in ``launcher.Exited``; ``last_words`` is the last line of raw output, if any.
    """
    memory = f"{limits.memory_bytes / (1 << 20):g} MiB"
    if status is None:
        return (
            OutcomeKind.CRASHED,
            "The process that starts workers ended, and the hook's worker with it.",
        )
    if status == EXIT_OUT_OF_MEMORY or (status < 0 and _LACKED_MEMORY.search(last_words)):
        return (
            OutcomeKind.OUT_OF_MEMORY,
            f"The hook needed more than the {memory} of memory it may use; its worker ended.",
        )
    if status == -signal.SIGKILL:
        return (
            OutcomeKind.OUT_OF_MEMORY,
            "The kernel killed the hook's worker, which it does when memory runs out.",
        )
    if status == EXIT_UNCAUGHT:
        return OutcomeKind.CRASHED, (
            f"The hook's worker ended after an error that nothing caught: {last_words}"
        )
    how = f"was killed by {_name(-status)}" if status < 0 else f"ended with exit code {status}"
    return OutcomeKind.CRASHED, f"The hook's worker {how} instead of an answer."


def timed_out(timeout: float) -> Verdict:
    """Judge a call that passed its deadline."""
    return (
        OutcomeKind.TIMED_OUT,
        f"The hook did not answer within {timeout:g} s; its worker was killed.",
    )


def violated(what: str) -> Verdict:
    """Judge a worker that did ``what``, completing the sentence "The hook's worker …"."""
    return OutcomeKind.VIOLATED, f"The hook's worker {what}; it was killed."


def overloaded(timeout: float, state: str) -> Verdict:
    """Judge a call that no worker took; ``state`` says what they were doing."""
    return (
        OutcomeKind.OVERLOADED,
        f"No worker was free within {timeout:g} s ({state}); the hook did not start.",
    )


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
