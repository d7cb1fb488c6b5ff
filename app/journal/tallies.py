"""Counts of runs by minute and hour, hook and commit, kept up while records are written.

Durations go into histograms of sixteen buckets an octave, 3.2 % wide to either side of their
middle: like a DDSketch's, but with fixed bounds, so that adding is a look-up, merging an addition,
and nothing of it needs a library.
"""

from __future__ import annotations

import math
import sqlite3
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import accumulate
from operator import itemgetter
from typing import TypeVar

import msgspec

from app.application.journal_views import Latency, Tally
from app.domain.outcomes import OutcomeKind
from app.journal.rows import EXECUTION_COLUMNS, Row

MINUTE, HOUR = 60, 3600
_STEPS = 16
"""Buckets an octave."""
_SHORTEST = 0.001
"""Milliseconds; in place of 0, which has no octave."""
_MINUTE = 60_000_000
_AT, _TRIGGER, _HOOK, _NAME, _COMMIT = map(
    EXECUTION_COLUMNS.split(", ").index,
    ("at", "trigger_id", "hook_id", "hook_name", "commit_id"),
)
_KIND, _TOTAL, _RAN = (
    itemgetter(EXECUTION_COLUMNS.split(", ").index(name)) for name in ("kind", "total_ms", "ran_ms")
)

Key = tuple[int, int, str, str, str]
"""Width in seconds, beginning in microseconds, trigger, hook and commit (empty: none)."""

_KEY = "width = ? AND at = ? AND trigger_id = ? AND hook_id = ? AND commit_id = ?"


class Counts(msgspec.Struct, array_like=True):
    """What is stored of one key."""

    outcomes: dict[str, int] = {}
    total: dict[int, int] = {}
    ran: dict[int, int] = {}

    def merge(self, other: Counts) -> None:
        """Add what the other counted."""
        _add(self.outcomes, other.outcomes)
        _add(self.total, other.total)
        _add(self.ran, other.ran)

    def tally(self) -> Tally:
        """Say it as outcomes and percentiles."""
        return Tally(
            {OutcomeKind(kind): count for kind, count in sorted(self.outcomes.items())},
            latency_of(self.total),
            latency_of(self.ran),
        )


K = TypeVar("K")

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Counts).decode


def buckets_of(durations: Iterable[float]) -> Counter[int]:
    """Count durations, in milliseconds, by the numbers of their buckets."""
    parts = map(math.frexp, [duration or _SHORTEST for duration in durations])
    return Counter([exponent * _STEPS + int(part * 2 * _STEPS) for part, exponent in parts])


def middle_of(bucket: int) -> float:
    """Return the middle of a bucket, in milliseconds."""
    exponent, step = divmod(bucket - _STEPS, _STEPS)
    return math.ldexp((_STEPS + step + 0.5) / (2 * _STEPS), exponent)


def latency_of(buckets: Mapping[int, int]) -> Latency:
    """Return the percentiles of a histogram."""
    if not buckets:
        return Latency(None, None, None)
    ordered = sorted(buckets.items())
    below = list(accumulate(count for _, count in ordered))
    runs = below[-1]

    def percentile(share: float) -> float:
        rank = math.ceil(share * runs)
        passed = bisect_left(below, rank)
        return round(middle_of(ordered[passed][0]), 4)

    return Latency(percentile(0.5), percentile(0.95), percentile(0.99))


def _add(to: dict[K, int], counts: Mapping[K, int]) -> None:
    for key, count in counts.items():
        to[key] = to.get(key, 0) + count


def store(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Add rows of executions to what is stored, within the caller's transaction."""
    counted, names = count(rows)
    for key, counts in counted.items():
        row = connection.execute(f"SELECT counts FROM tallies WHERE {_KEY}", key).fetchone()  # noqa: S608 (constant text)
        if row is None:
            connection.execute(
                "INSERT INTO tallies (width, at, trigger_id, hook_id, commit_id, hook_name, counts)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*key, names[key], _encode(counts)),
            )
        else:
            counts.merge(_decode(row[0]))
            connection.execute(
                f"UPDATE tallies SET counts = ?, hook_name = ? WHERE {_KEY}",  # noqa: S608 (constant text)
                (_encode(counts), names[key], *key),
            )


def count(rows: Iterable[Row]) -> tuple[dict[Key, Counts], dict[Key, str]]:
    """Count rows of executions by minute and by hour; also return the hooks' names."""
    grouped: defaultdict[tuple[int, str, str | None, str | None], list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row[_AT] // _MINUTE, row[_TRIGGER], row[_HOOK], row[_COMMIT]].append(row)
    counted: dict[Key, Counts] = {}
    names: dict[Key, str] = {}
    for (minute, trigger, hook, commit), alike in grouped.items():
        counts = Counts(
            Counter(map(_KIND, alike)),
            buckets_of(map(_TOTAL, alike)),
            buckets_of(map(_RAN, alike)),
        )
        for width, start in ((MINUTE, minute), (HOUR, minute // 60 * 60)):
            key = (width, start * _MINUTE, trigger, hook or "", commit or "")
            counted.setdefault(key, Counts()).merge(counts)
            names[key] = alike[-1][_NAME] or ""
    return counted, names


def decode(stored: bytes) -> Counts:
    """Read what is stored of one key."""
    return _decode(stored)
