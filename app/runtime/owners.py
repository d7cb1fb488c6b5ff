"""What a worker needs of the pool it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from app.domain.outcomes import Limits, OutcomeKind
from app.runtime.tickets import Ticket


class Owner(Protocol):
    """Hears what becomes of its workers."""

    @property
    def limits(self) -> Limits:
        """What a worker may use."""
        ...

    @property
    def most_in_flight(self) -> int:
        """How many calls a worker may be sent at a time."""
        ...

    def load_message(self, egress: Mapping[str, Any] | None) -> bytes | None:
        """Return the LOAD message's body; None to have the worker wait for another owner.

        ``egress`` is what the worker is told of its proxy. Raises ``HookledgerError`` if there
        cannot be a message.
        """
        ...

    def ready(self) -> None:
        """Hear that a worker takes calls."""
        ...

    def freed(self) -> None:
        """Hear that a worker answered a call."""
        ...

    def refused(self, kind: OutcomeKind, data: bytes | None, detail: str) -> None:
        """Hear why the script cannot be had in a worker."""
        ...

    def lost(self, number: int, unstarted: list[Ticket]) -> None:
        """Take back what had not started; the worker takes no more calls."""
        ...

    def emit(self, ticket: Ticket | None, level: int, stream: int, text: str) -> None:
        """Take a line, of the call or of none, unmasked."""
        ...

    def mask(self, text: str, /) -> str:
        """Hide secret values."""
        ...
