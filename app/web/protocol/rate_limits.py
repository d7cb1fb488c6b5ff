"""How often a caller may ask: token buckets in memory, one for each caller and class of request.

Sixty lines rather than a library: those of the field count hits in windows (a window has no burst
that refills, which Auth0's clients pace themselves by), keep a list of times for each caller, or
take a lock and a thread. A bucket here is one number, the moment when it will be full again (the
generic cell rate algorithm), and their count is bounded.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Scope

MAX_BUCKETS = 10_000
"""About 2 MB. Beyond it the bucket goes that was used least recently: mostly a full one."""

_IPV6_SUBSCRIBER = 64
"""Whoever has an IPv6 address has as many as fit behind these bits."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a bucket holds, and how fast it fills."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one request found in its bucket."""

    limit: int
    remaining: int
    """Requests that may follow at once."""
    reset: int
    """Seconds since 1970 when there is one more."""
    wait: float
    """Seconds until this request may be tried again; 0 if it may go on."""

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Say it as Auth0 does."""
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % self.remaining),
            (b"x-ratelimit-reset", b"%d" % self.reset),
        ]


class Buckets:
    """The buckets of one class of requests, by caller."""

    def __init__(
        self,
        rate: Rate,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        max_buckets: int = MAX_BUCKETS,
    ) -> None:
        self._burst, self._per_second = rate.burst, rate.per_second
        self._monotonic, self._clock = monotonic, clock
        self._max = max_buckets
        self._full_at: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many buckets are kept."""
        return len(self._full_at)

    def take(self, caller: str) -> Allowance:
        """Take one token out of the caller's bucket, if there is one."""
        now = self._monotonic()
        full_at = max(self._full_at.pop(caller, now), now)
        lacking = (full_at - now) * self._per_second
        wait = max(0.0, (lacking + 1 - self._burst) / self._per_second)
        if wait == 0:
            full_at += 1 / self._per_second
            lacking += 1
        if len(self._full_at) >= self._max:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[caller] = full_at
        # A hair less than a whole number is one: these are sums of fractions.
        next_token = (lacking - math.ceil(lacking - 1e-6) + 1) / self._per_second
        return Allowance(
            limit=self._burst,
            remaining=max(0, self._burst - math.ceil(lacking - 1e-6)),
            reset=math.ceil(self._clock() + next_token),
            wait=wait,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """The buckets of every class; None: no limit."""

    management: Buckets | None = None
    """Whatever changes something; by client."""
    reads: Buckets | None = None
    """The Management API's too: the Deploy CLI asks for all hooks and all secrets at once."""
    invocations: Buckets | None = None
    tokens: Buckets | None = None
    """Token requests; by client and address, so that nobody can lock out another's client."""
    failures: Buckets | None = None
    """Requests that nobody was let in for; by address."""

    def of(self, scope: Scope) -> Buckets | None:
        """Return the buckets of clients for this request."""
        method, path = scope["method"], scope["path"]
        if method in ("GET", "HEAD"):
            return self.reads
        if method == "POST" and path.startswith("/v1/") and path.endswith(("/invoke", "/run")):
            return self.invocations
        return self.management


def limits_of(
    rates: dict[str, Rate | None], make: Callable[[Rate], Buckets] = Buckets
) -> RateLimits:
    """Make buckets for each class that has a rate."""
    return RateLimits(**{name: make(rate) for name, rate in rates.items() if rate is not None})


def address_of(scope: Scope) -> str:
    """Return who sends, as a name for a bucket: an IPv4 address, or an IPv6 network."""
    host = scope["client"][0] if scope.get("client") else ""
    if ":" not in host:
        return str(host)
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return str(host)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_SUBSCRIBER), strict=False))
