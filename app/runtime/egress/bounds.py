"""How much of the network one worker may use, and what it has used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

_MEBIBYTE = 1 << 20

Verdict = Literal["connected", "refused", "failed"]
Direction = Literal["sent", "received"]


class Exhausted(Exception):
    """A worker has moved as many bytes as it may, told by a sentence."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a worker may use; exceeding one ends a connection, never the worker."""

    connections: int = 16
    """To targets at a time; further ones wait."""
    open: int = 48
    """To the proxy at a time, those that wait included; further ones are refused."""
    new_per_second: int = 200
    """Connections that are made for a worker; it waits for further ones."""
    head_bytes: int = 16 * 1024
    head_seconds: float = 10.0
    connect_seconds: float = 10.0
    """For a free place, the name and the connection, each."""
    idle_seconds: float = 60.0
    bytes_per_connection: int = 64 * _MEBIBYTE
    """In each direction."""
    bytes_per_call: int = 128 * _MEBIBYTE
    """In each direction, from the beginning of one call to the beginning of the next."""
    lines_per_call: int = 200


@dataclass(slots=True)
class Counters:
    """What all workers of the server did since its start."""

    connections: Counter[Verdict] = field(default_factory=Counter)
    bytes: Counter[Direction] = field(default_factory=Counter)
    open: int = 0


class Budget:
    """The bytes of one worker, renewed with each call."""

    def __init__(self, bounds: Bounds, counters: Counters) -> None:
        self._most = bounds.bytes_per_call
        self._counters = counters
        self._moved: Counter[Direction] = Counter()

    def renew(self) -> None:
        """Begin to count again."""
        self._moved.clear()

    def take(self, direction: Direction, count: int) -> None:
        """Count bytes before they are passed on; raise ``Exhausted``."""
        self._counters.bytes[direction] += count
        self._moved[direction] += count
        if self._moved[direction] > self._most:
            raise Exhausted(f"a call may have {amount(self._most)} {direction} over the network")


def amount(count: int) -> str:
    """Write a number of bytes for people, in powers of a thousand."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 (the step between units)
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
