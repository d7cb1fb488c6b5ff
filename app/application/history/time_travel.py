"""Look at the hooks as they were: after an event, at an instant, or as a commit left them.

The past is read from the events, so hooks that are gone are there, with their scripts; of secrets
there are names and versions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from app.application.ports import AuditLog, Clock, History
from app.application.views import ActiveTable, AuditQuery
from app.domain.errors import NotFound, Problem, Rejected, Transient
from app.domain.revisions import Position

CATCH_UP_SECONDS = 5.0

_APPLIED = "source.revision_applied"
_SHOWN_COMMITS = 5
_PAGE = 500
_DIGITS = re.compile(r"[0-9]{1,18}\Z", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{7,40}\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[-+]\d\d:\d\d)\Z", re.ASCII)
_COMPLAINT = (
    "must be a position, a time with its zone (RFC 3339, such as 2026-11-22T12:00:00Z), "
    "or a commit's id or 7 digits or more of its beginning"
)


@dataclass(frozen=True, slots=True)
class TimeTravel:
    """Tables of the past. Blocking: call it from a thread."""

    history: History
    audit: AuditLog
    clock: Clock
    caught_up: Callable[[Position, float], bool]
    """Waits until the audit log is written up to a position; False after as many seconds."""

    def as_of(self, moment: str, *, key: str = "as_of") -> ActiveTable:
        """Return the table of a moment; raises as ``position_of`` does, and ``Stalled``."""
        return self.history.as_of(self.position_of(moment, key=key))

    def newest(self) -> ActiveTable:
        """Return the table as it is now."""
        return self.history.as_of(self.history.newest())

    def position_of(self, moment: str, *, key: str = "as_of") -> Position:
        """Return the position that a moment names.

        A number is a position, unless it is longer than any and long enough for a commit. Raises
        ``Rejected`` for what is no moment of the past, naming ``key``; ``NotFound`` for a commit
        that caused nothing; ``Transient`` while the audit log lags behind.
        """
        text = moment.strip().replace(" ", "+")  # what a `+` that was not encoded becomes
        newest = self.history.newest()
        if newest == 0:
            raise _refused("is in no past: nothing has happened yet", key)
        if _DIGITS.match(text) and (int(text) <= newest or not _COMMIT.match(text)):
            return _existing(int(text), newest, key)
        if _COMMIT.match(text.lower()):
            self._catch_up(newest)
            return self._after_commit(text.lower(), key)
        if _TIME.match(text.upper()):
            self._catch_up(newest)
            return self._at(text.upper(), key)
        raise _refused(_COMPLAINT, key)

    def _catch_up(self, newest: Position) -> None:
        if not self.caught_up(newest, CATCH_UP_SECONDS):
            raise Transient("The audit log, which knows times and commits, is still being written.")

    def _at(self, text: str, key: str) -> Position:
        try:
            at = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            raise _refused(_COMPLAINT, key) from None
        if at > self.clock():
            raise _refused("lies in the future", key)
        position = self.audit.position_at(at)
        if position == 0:
            raise _refused("lies before the first event; nothing was there", key)
        return position

    def _after_commit(self, prefix: str, key: str) -> Position:
        """Return the end of the transaction that applied a commit last."""
        commit = self._commit(prefix, key)
        query = AuditQuery(commit=commit, type=_APPLIED)
        applied = self.audit.query(query, cursor=None, limit=1).items
        if not applied:
            raise NotFound(
                f"The commit {commit} was never applied, so it left nothing to look at; "
                f"`hookledger audit query --commit {commit[:12]}` tells what became of it."
            )
        return self._end_of_run(commit, applied[0].position)

    def _commit(self, prefix: str, key: str) -> str:
        found = self.audit.commits(prefix, _SHOWN_COMMITS + 1)
        if not found:
            raise NotFound(f"No event was caused by a commit whose id begins with `{prefix}`.")
        if len(found) > 1:
            listed = ", ".join(found[:_SHOWN_COMMITS])
            more = ", …" if len(found) > _SHOWN_COMMITS else ""
            raise _refused(f"is the beginning of several commits: {listed}{more}", key)
        return found[0]

    def _end_of_run(self, commit: str, position: Position) -> Position:
        """Follow the events of a commit from ``position`` on, as far as nothing stands between."""
        while True:
            query = AuditQuery(commit=commit, from_position=position + 1)
            page = self.audit.query(query, cursor=None, limit=_PAGE, ascending=True).items
            for row in page:
                if row.position != position + 1:
                    return position
                position = row.position
            if len(page) < _PAGE:
                return position


def _existing(position: int, newest: Position, key: str) -> Position:
    if position > newest:
        raise _refused(f"lies in the future: the newest position is {newest}", key)
    if position == 0:
        raise _refused("lies before the first event, whose position is 1", key)
    return Position(position)


def _refused(message: str, key: str) -> Rejected:
    problem = Problem(message, key=key)
    return Rejected("There is no such moment to look at.", problems=[problem])
