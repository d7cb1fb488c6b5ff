"""The lines of one worker: whose they are, and that they stay within bounds."""

from __future__ import annotations

from collections.abc import Iterable

from app.domain.outcomes import Level, Limits
from app.runtime.inside import protocol
from app.runtime.inside.protocol import Violation
from app.runtime.owners import Owner
from app.runtime.tickets import Ticket

_RAW_LEVEL, _RAW_STREAM = protocol.LEVELS.index("error"), protocol.STREAMS.index("stderr")
_LOG = protocol.STREAMS.index("log")

_FATAL = ("FATAL ERROR", "# Fatal")


class Lines:
    """Passes lines on to the owner; a worker that sends far more than it may is not ours."""

    def __init__(self, owner: Owner, limits: Limits) -> None:
        self.last_raw = ""
        """The last line written past Python: what an interpreter said when it died.

        What V8 says after that is its own stack."""
        self._owner = owner
        # A worker counts its lines itself and stops at the limit; this is for one that does not.
        self._most = 2 * limits.log_bytes_per_call + protocol.RECEIVE_BYTES
        self._outside = 0

    def take(self, number: int, ticket: Ticket | None, body: bytes) -> None:
        """Take a LOG message; ``ticket`` is the call of that number, if there is one."""
        level, stream, text = protocol.read_log(body)
        if number and (ticket is None or not ticket.started):
            raise Violation("logged for a call that does not run")
        cost = max(len(body), protocol.LINE_COST)
        if ticket is None:
            total = self._outside = self._outside + cost
        else:
            total = ticket.log_bytes = ticket.log_bytes + cost
        if total > self._most:
            raise Violation("flooded its log")
        self._owner.emit(ticket, level, stream, text)

    def take_raw(self, text: str, calls: Iterable[Ticket]) -> None:
        """Take a line written past Python: it is the running call's, if just one runs."""
        if self.last_raw.startswith(_FATAL):
            return
        self.last_raw = text
        self._owner.emit(_only(calls), _RAW_LEVEL, _RAW_STREAM, text)

    def take_network(self, level: Level, text: str, calls: Iterable[Ticket]) -> None:
        """Take a line about a connection, which the worker has no say in; whose: as above."""
        self._owner.emit(_only(calls), protocol.LEVELS.index(level), _LOG, text)

    def answered(self) -> None:
        """Allow as much again between calls."""
        self._outside = 0


def _only(calls: Iterable[Ticket]) -> Ticket | None:
    started = [ticket for ticket in calls if ticket.started]
    return started[0] if len(started) == 1 else None
