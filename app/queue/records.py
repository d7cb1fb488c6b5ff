"""What the queue hands out: leases to consumers, dead letters and counts to operators."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run one delivery, until it ends or is given back."""

    owner: str
    invocation_id: str
    attempts: int
    """Attempts that were begun before this one."""
    sealed: bytes = field(repr=False)
    """The delivery, encrypted."""
    abandoned: bool
    """Whether the attempt before this one was begun but never ended: its server died."""
    last_error: str | None
    """Why the last attempt failed."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a consumer got."""

    leases: tuple[Lease, ...]
    next_due: datetime | None
    """When the next delivery becomes due, or a lease ends; None when the queue is empty."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that failed for the last time; its payload is kept, encrypted."""

    invocation_id: str
    trigger: str
    caller: str
    accepted_at: datetime
    died_at: datetime
    attempts: int
    error: str
    """Why the last attempt failed."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How many deliveries there are."""

    waiting: int
    running: int
    dead: int
