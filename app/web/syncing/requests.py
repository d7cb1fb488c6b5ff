"""What requests about sources say, read and checked; all that is wrong is told at once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.application.invoking.envelopes import parse_json
from app.domain.aggregates import Meta
from app.domain.errors import Problem, Rejected
from app.web.protocol.endpoints import Inquiry
from app.web.protocol.parameters import read_moment, text
from app.web.protocol.services import SourceDesk

REF = re.compile(r"(?!-)[^\x00-\x20\x7f]{1,255}\Z")
"""Nothing that a program could take for an option; whether it exists, the repository knows."""
_MAX_REASON = 500

SOURCE = text("source", "Id of the source; needed where there are several.")


def source_of(inquiry: Inquiry) -> SourceDesk:
    """Return the source that is asked about by the parameter ``SOURCE``."""
    return inquiry.services.sync.one(inquiry.values[SOURCE.name])


class SyncRequest:
    """The body of a request: an object, which may be left out, with ``known`` members only."""

    def __init__(self, inquiry: Inquiry, known: Sequence[str]) -> None:
        self._members = _members(inquiry.body, known)
        self._client = inquiry.client
        self._problems: list[Problem] = []

    def ref(self, name: str) -> str | None:
        """Return the name of a commit."""
        given = self._members.get(name)
        if given is None or (isinstance(given, str) and REF.match(given)):
            return given
        self._complain(name, "must be a branch, a tag or a commit's id")
        return None

    def text(self, name: str) -> str:
        """Return a text that must be there."""
        given = self._members.get(name)
        if isinstance(given, str) and given.strip():
            return given.strip()
        self._complain(name, "must be there, as a text")
        return ""

    def moment(self, name: str) -> datetime | None:
        """Return a time."""
        given = self._members.get(name)
        if given is None:
            return None
        try:
            return read_moment(given if isinstance(given, str) else "")
        except ValueError as error:
            self._complain(name, str(error))
            return None

    def meta(self) -> Meta:
        """Say that the client does it, by this request, and why.

        Call it last: raises ``Rejected`` with all that is wrong.
        """
        reason = self._members.get("reason")
        if not isinstance(reason, str) or not 0 < len(reason.strip()) <= _MAX_REASON:
            self._complain("reason", f"must be there: a text of 1 to {_MAX_REASON} characters")
        self.check()
        return Meta(
            actor=f"client:{self._client.id}" if self._client else "api",
            origin="api",
            correlation_id=secrets.token_hex(8),
            reason=str(reason).strip(),
        )

    def check(self) -> None:
        """Raise ``Rejected`` with all that is wrong with what was read."""
        if self._problems:
            raise Rejected("The body of this request cannot be used.", problems=self._problems)

    def _complain(self, key: str, message: str) -> None:
        self._problems.append(Problem(message, key=key))


def _members(body: bytes, known: Sequence[str]) -> dict[str, Any]:
    if not body.strip():
        return {}
    given = parse_json(body)
    if not isinstance(given, dict):
        raise Rejected("The body must be a JSON object, or empty.")
    listed = ", ".join(known) or "none"
    problems = [
        Problem(f"is not a member of this request; known are: {listed}", key=name)
        for name in given
        if name not in known
    ]
    if problems:
        raise Rejected("The body of this request cannot be used.", problems=problems)
    return given
