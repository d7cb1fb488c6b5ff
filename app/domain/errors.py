"""One tree of errors; each class says what happens next, not where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what somebody gave us, and where it stands."""

    message: str
    file: str | None = None
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        """Write ``file:line: key: message``, leaving out what is unknown."""
        place = "".join(
            (self.file or "", f":{self.line}" if self.file and self.line is not None else "")
        )
        return ": ".join(part for part in (place, self.key or "", self.message) if part)


class HookledgerError(Exception):
    """The server could not do what was asked."""

    slug: ClassVar[str] = "error"

    def __init__(self, message: str = "", *, problems: Sequence[Problem] = ()) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.problems = tuple(problems)
        super().__init__(self.message)

    def __str__(self) -> str:
        """Write the sentence, then each problem on a line of its own."""
        return "\n".join((self.message, *(f"  {problem}" for problem in self.problems)))


class Rejected(HookledgerError):
    """What was given is not valid; nothing was changed. Correct it and try again."""

    slug = "rejected"


class NotFound(HookledgerError):
    """There is no such thing."""

    slug = "not-found"


class Conflict(HookledgerError):
    """The request contradicts the present state; nothing was changed."""

    slug = "conflict"


class Unauthenticated(HookledgerError):
    """The caller did not say who it is, or could not prove it."""

    slug = "unauthenticated"


class Forbidden(HookledgerError):
    """The caller may not do this."""

    slug = "forbidden"


class Stalled(HookledgerError):
    """This will not get better by itself: a person must act."""

    slug = "stalled"


class Transient(HookledgerError):
    """This may go away: try again after a while."""

    slug = "transient"

    def __init__(self, message: str = "", *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
