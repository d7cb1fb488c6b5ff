"""What a source's events mean for the commits that they are about, as a forge shows it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.application.views import SourceRow
from app.domain.aggregates import DomainEvent
from app.domain.errors import Problem
from app.domain.revisions import Position
from app.domain.sources.source import Source

MAX_DESCRIPTION = 140
"""Characters that GitHub allows."""

_IN_FORCE = "In force."


class CommitState(enum.StrEnum):
    """The words that forges have in common."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    """The commit was refused."""
    ERROR = "error"
    """It could not be judged, through no fault of its own."""

    @property
    def is_final(self) -> bool:
        """Whether an event said so."""
        return self in (CommitState.SUCCESS, CommitState.FAILURE)


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """How a commit stands."""

    sha: str
    state: CommitState
    description: str


@dataclass(frozen=True, slots=True)
class StatusAt:
    """What an event says of a commit; None if it is about something else."""

    position: Position
    status: CommitStatus | None


ReadStatuses = Callable[[Position, int], Sequence[StatusAt]]
"""Reads the ledger: what up to so many events after a position say. Blocking."""

Look = Callable[[], CommitStatus | None]
"""Tells the state of the branch's tip as far as no event does; from memory."""


def status_after(event: DomainEvent | None) -> CommitStatus | None:
    """Return what an event of a source says of a commit."""
    match event:
        case Source.RevisionApplied():
            return CommitStatus(event.commit, CommitState.SUCCESS, _IN_FORCE)
        case Source.RevisionRejected():
            reasons = [str(Problem(**problem)) for problem in event.problems]
            more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
            first = reasons[0] if reasons else "Refused."
            return CommitStatus(event.commit, CommitState.FAILURE, _shortened(first, more))
    return None


def status_of_tip(
    tip: str | None, settled: str | None, error: str | None, row: SourceRow | None
) -> CommitStatus | None:
    """Tell how the tip stands that was tried last, where the ledger does not tell.

    ``settled`` is the tip for which that ended without an error: if no event tells of it, it
    changes no hook, so that nothing was recorded.
    """
    if tip is None or (row is not None and tip == row.rejected):
        return None
    if error is not None:
        return CommitStatus(tip, CommitState.ERROR, _shortened(error, ""))
    if tip == settled:
        return CommitStatus(tip, CommitState.SUCCESS, _IN_FORCE)
    return CommitStatus(tip, CommitState.PENDING, "Being applied.")


def _shortened(text: str, more: str) -> str:
    one_line = " ".join(text.split())
    room = MAX_DESCRIPTION - len(more)
    return (one_line if len(one_line) <= room else f"{one_line[: room - 1]}…") + more
