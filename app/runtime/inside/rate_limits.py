"""When a host takes requests again, by what it says: pure, given the time.

Read are ``Retry-After`` (RFC 9110, seconds or a date), ``X-RateLimit-Remaining`` and
``X-RateLimit-Reset`` as Auth0 and GitHub send them (a moment in Unix seconds), and the same without
``X-`` (seconds from now). A number too small to be a moment is taken for seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

TOO_MANY, UNAVAILABLE = 429, 503

IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))
MOST_RETRIES = 4

_FIRST_PAUSE = 0.25
_EARLIEST_MOMENT = 1_000_000_000
_EARLIEST_IN_MILLISECONDS = 1_000_000_000_000


def pause_before_retry(
    method: str, status: int, headers: Mapping[str, str], tried: int, now: float
) -> float | None:
    """Return after how many seconds to try again, or None not to; ``now`` in Unix seconds.

    A 429 was not carried out, so any method may be repeated; a 503 may have been.
    """
    if tried > MOST_RETRIES:
        return None
    asked = _retry_after(headers, now)
    if status == TOO_MANY:
        backing_off = _FIRST_PAUSE * 2 ** (tried - 1)
        return asked if asked is not None else _reset(headers, now) or backing_off
    if status == UNAVAILABLE and method in IDEMPOTENT:
        return asked
    return None


def pause_before_next(headers: Mapping[str, str], now: float) -> float:
    """Return for how many seconds the host takes no further request; 0 if it takes some."""
    remaining = _number(_limit(headers, "remaining"))
    if remaining is None or remaining > 0:
        return 0.0
    return _reset(headers, now) or 0.0


def _reset(headers: Mapping[str, str], now: float) -> float | None:
    reset = _number(_limit(headers, "reset"))
    if reset is None:
        return None
    if reset >= _EARLIEST_IN_MILLISECONDS:
        reset /= 1000
    return max(reset - now, 0.0) if reset >= _EARLIEST_MOMENT else reset


def _limit(headers: Mapping[str, str], what: str) -> str | None:
    return headers.get(f"x-ratelimit-{what}") or headers.get(f"ratelimit-{what}")


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds
    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
