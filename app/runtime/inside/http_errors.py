"""What goes wrong with HTTP, as hooks see it (``from hookledger import …``).

Public members are shown to whoever called the hook: no address with its query, no header, no body.
"""

from __future__ import annotations


class HttpError(Exception):
    """No usable answer was had."""

    status: int | None = None
    """The answer's status code, if there was an answer."""

    def __init__(self, message: str = "", status: int | None = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status


class NetworkDenied(HttpError, PermissionError):
    """The hook may not reach this place."""


class RateLimited(HttpError):
    """The other side takes no further request before this one's time is over."""

    def __init__(self, message: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, 429)
        self.retry_after = retry_after
        """Seconds until it takes one."""
