"""The calls that one worker was sent and has not answered."""

from __future__ import annotations

from time import monotonic

from app.domain.outcomes import OutcomeKind
from app.runtime.tickets import Ticket


class InFlight(dict[int, Ticket]):
    """Calls by number, in the order they were sent; a sync worker answers in that order."""

    is_async = False
    """Whether the worker runs all of them at a time."""

    def is_turn_of(self, number: int) -> bool:
        """Tell whether the worker may answer this call now."""
        return number in self and (self.is_async or number == next(iter(self)))

    def may_be_skipped(self, number: int) -> bool:
        """Tell whether the worker may say that this call came too late: only if it did."""
        return self.is_turn_of(number) and monotonic() > self[number].start_before

    def late(self, now: float) -> list[Ticket]:
        """List the started calls that passed their deadlines."""
        return [ticket for ticket in self.values() if ticket.started and ticket.deadline <= now]

    def next_deadline(self) -> float:
        """Return the earliest deadline of a started call; there is one."""
        return min(ticket.deadline for ticket in self.values() if ticket.started)

    def settle_started(self, kind: OutcomeKind, detail: str) -> list[Ticket]:
        """Settle the started calls, whose worker has ended; return the others."""
        for ticket in self.values():
            if ticket.started:
                ticket.settle(kind, detail=detail)
        return [ticket for ticket in self.values() if not ticket.started]
