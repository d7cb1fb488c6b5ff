"""Counts of runs by minute and hour, hook and commit, kept up while records are written.

Durations go into histograms of sixteen buckets an octave, 3.2 % wide to either side of their
middle: like a DDSketch's, but with fixed bounds, so that adding is a look-up, merging an addition,
and nothing of it needs a library.
"""

from __future__ import annotations

import math
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import TypeVar

import msgspec

from app.application.journal_views import ExecutionRecord, Latency, Tally
from app.domain.outcomes import OutcomeKind
from app.sqlite_files import to_microseconds

MINUTE, HOUR = 60, 3600
_SUBBUCKETS = 16
_SECOND = 1_000_000

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


def bucket_of(milliseconds: float) -> int:
    """Return the number of a duration's bucket; those below a microsecond share one."""
    mantissa, exponent = math.frexp(max(milliseconds, 0.001))
    return exponent * _SUBBUCKETS + int((mantissa - 0.5) * 2 * _SUBBUCKETS)


def middle_of(bucket: int) -> float:
    """Return the middle of a bucket, in milliseconds."""
    exponent, step = divmod(bucket, _SUBBUCKETS)
    return math.ldexp(0.5 + (step + 0.5) / (2 * _SUBBUCKETS), exponent)


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


def count(executions: Iterable[ExecutionRecord]) -> tuple[dict[Key, Counts], dict[Key, str]]:
    """Count records by minute and by hour; also return the hooks' names."""
    counted: dict[Key, Counts] = {}
    names: dict[Key, str] = {}
    for record in executions:
        minute = to_microseconds(record.at) // (MINUTE * _SECOND) * MINUTE * _SECOND
        key = (MINUTE, minute, record.trigger, record.hook_id or "", record.commit or "")
        counts = counted.get(key)
        if counts is None:
            counts = counted[key] = Counts()
            names[key] = record.hook_name or ""
        kind, total, ran = record.kind.value, bucket_of(record.total_ms), bucket_of(record.ran_ms)
        counts.outcomes[kind] = counts.outcomes.get(kind, 0) + 1
        counts.total[total] = counts.total.get(total, 0) + 1
        counts.ran[ran] = counts.ran.get(ran, 0) + 1
    for (_, minute, *of), counts in list(counted.items()):
        hour = (HOUR, minute // (HOUR * _SECOND) * HOUR * _SECOND, *of)
        counted.setdefault(hour, Counts()).merge(counts)  # type: ignore[arg-type]
        names[hour] = names[MINUTE, minute, *of]  # type: ignore[index]
    return counted, names


def store(connection: sqlite3.Connection, executions: Iterable[ExecutionRecord]) -> None:
    """Add records to what is stored, within the caller's transaction."""
    counted, names = count(executions)
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


def decode(stored: bytes) -> Counts:
    """Read what is stored of one key."""
    return _decode(stored)
