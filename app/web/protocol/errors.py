"""What only HTTP can get wrong, as branches of the domain's tree of errors."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar

from app.domain.errors import (
    Forbidden,
    HookledgerError,
    NotFound,
    Rejected,
    Transient,
    Unauthenticated,
)
from app.domain.revisions import Position
from app.web.protocol.rate_limits import Allowance


class MissingToken(Unauthenticated):
    """There is no access token: send `Authorization: Bearer <access token>`."""


class MissingScope(Forbidden):
    """The client may not do this."""

    def __init__(self, *scopes: str) -> None:
        wanted = "the scope" if len(scopes) == 1 else "one of the scopes"
        named = ", ".join(f"`{scope}`" for scope in scopes)
        super().__init__(f"This needs {wanted} {named}, which the client does not have.")
        self.scopes = scopes
        self.scope = " ".join(scopes)


class NoRoute(NotFound):
    """Nothing is served at this path."""


class WrongMethod(HookledgerError):
    """The path is served, but not by this method."""

    slug: ClassVar[str] = "method-not-allowed"

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(allowed)
        super().__init__(f"This path is served by {self.allowed} only.")


class TooLarge(HookledgerError):
    """The body is larger than this server reads."""

    slug: ClassVar[str] = "too-large"


class TooSlow(HookledgerError):
    """The request did not arrive in time."""

    slug: ClassVar[str] = "too-slow"


class TooManyRequests(HookledgerError):
    """The caller asks more often than it may."""

    slug: ClassVar[str] = "too-many-requests"

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.retry_after = max(1, math.ceil(allowance.wait))
        super().__init__(f"The rate limit is reached; try again in {self.retry_after} s.")


class RevisionRefused(Rejected):
    """The request was fine, but the commit it is about cannot be applied."""

    slug: ClassVar[str] = "revision-rejected"


class NotReached(Transient):
    """A demanded position was waited for in vain."""

    def __init__(self, wanted: Position, reached: Position) -> None:
        super().__init__(
            f"Position {wanted} is not reached yet; the server is at {reached}. "
            "Try again, or check that the position is real."
        )


class Disconnected(Exception):
    """The client went away before it had sent its request; there is nobody to answer."""
