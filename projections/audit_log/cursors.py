"""Cursors of the audit log: a place in one list, good for no other.

A cursor names a position, so events that arrive meanwhile neither shift nor repeat rows. It holds a
digest of the filters and the order: with others it would silently show another list's middle.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import astuple, dataclass

from app.application.views import AuditQuery
from app.domain.errors import Problem, Rejected
from projections.audit_log.questions import LAST_POSITION, sortable

_CURSOR = re.compile(r"a2\.([nb])\.([0-9a-z]{1,13})\.([0-9a-f]{12})\Z")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: beyond ``position``, or before it if ``back``."""

    position: int
    back: bool = False


@dataclass(frozen=True, slots=True)
class CursorsOf:
    """The cursors of one list: of these filters in this order."""

    query: AuditQuery
    ascending: bool

    def write(self, place: Place) -> str:
        """Return the opaque text of a place."""
        return f"a2.{'b' if place.back else 'n'}.{_base36(place.position)}.{self._digest()}"

    def read(self, cursor: str) -> Place:
        """Return the place of a cursor; raise ``Rejected`` unless it is one of this list."""
        match = _CURSOR.match(cursor)
        position = int(match.group(2), 36) if match else 0
        if match is None or not 0 <= position <= LAST_POSITION:
            raise _refusal("is not a cursor of the audit log; begin without one")
        if match.group(3) != self._digest():
            raise _refusal("was made for other filters or another order; begin without one")
        return Place(position, back=match.group(1) == "b")

    def _digest(self) -> str:
        members = [
            sortable(member) if hasattr(member, "tzinfo") else member
            for member in astuple(self.query)
        ]
        return hashlib.sha256(repr((members, self.ascending)).encode()).hexdigest()[:12]


def _refusal(message: str) -> Rejected:
    problem = Problem(message, key="cursor")
    return Rejected("The audit log cannot be continued there.", problems=[problem])


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
