"""The manifest's ``[process]``: how the processes of a hook live, and what each may use.

    [process]
    mode = "warm"          # or "fresh": a new process for every call
    concurrency = 1        # calls in one process at a time
    memory = "128MiB"
    max_calls = 10000      # a process is replaced after so many calls,
    max_age = "1h"         # or when it is so old
    min_ready = 2          # processes that wait, loaded, while the hook is enabled

Only what is written is stored, so that a new key changes no hook that does not use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from app.domain.documents.toml_documents import TomlDocument
from app.domain.documents.values import parse_milliseconds
from app.domain.outcomes import Lifecycle, Limits

TABLE = "process"
MODES = ("warm", "fresh")
MAX_CONCURRENCY = 64
MIN_MEMORY_MIB, MAX_MEMORY_MIB = 64, 4096
MAX_CALLS = 1_000_000_000
MIN_AGE_MS, MAX_AGE_MS = 1000, 7 * 24 * 3600 * 1000
MAX_READY = 16
FRESH_AT_ONCE = 8
"""Calls of a hook with ``mode = "fresh"`` that may run at a time, each in its process."""

_MEBIBYTE = 1 << 20
_MEMORY = re.compile(r"([1-9][0-9]{0,4})(MiB|GiB)\Z")
_LONG = re.compile(r"([1-9][0-9]{0,4})([mhd])\Z")
_LONG_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def read_process(document: TomlDocument) -> dict[str, Any]:
    """Read the table as settings hold it; every problem is added to the document."""
    table = document.table(TABLE)
    document.refuse_unknown(table, tuple(_READERS), TABLE)
    settings = {}
    for key, (stored, read, expected) in _READERS.items():
        if key in table:
            value = read(table[key])
            if value is None:
                document.refuse(expected, TABLE, key)
            settings[stored] = value
    if settings.get("mode") == "fresh":
        for key in ("concurrency", "max_calls", "max_age"):
            if key in table:
                document.refuse('has no meaning with mode = "fresh"; remove one', TABLE, key)
    return settings


def lifecycle_of(settings: Mapping[str, Any]) -> Lifecycle:
    """Return how the processes of a hook with these settings live."""
    process = settings.get(TABLE, {})
    max_age = process.get("max_age_ms")
    return Lifecycle(
        mode=process.get("mode", "warm"),
        concurrency=process.get("concurrency"),
        max_calls=process.get("max_calls"),
        max_age=None if max_age is None else max_age / 1000,
        min_ready=process.get("min_ready", 1),
    )


def limits_of(settings: Mapping[str, Any]) -> Limits:
    """Return what each process of a hook with these settings may use."""
    process = settings.get(TABLE, {})
    limits = Limits()
    ready = process.get("min_ready", 1)
    fresh = process.get("mode") == "fresh"
    return Limits(
        memory_bytes=process.get("memory_bytes", limits.memory_bytes),
        max_workers=FRESH_AT_ONCE + ready if fresh else max(limits.max_workers, ready),
    )


def _mode(written: object) -> object:
    return written if written in MODES else None


def _memory(written: object) -> int | None:
    match = _MEMORY.match(written) if isinstance(written, str) else None
    if match is None:
        return None
    mebibytes = int(match[1]) * (1024 if match[2] == "GiB" else 1)
    return mebibytes * _MEBIBYTE if MIN_MEMORY_MIB <= mebibytes <= MAX_MEMORY_MIB else None


def _age(written: object) -> int | None:
    match = _LONG.match(written) if isinstance(written, str) else None
    milliseconds = int(match[1]) * _LONG_MS[match[2]] if match else parse_milliseconds(written)
    return milliseconds if milliseconds and MIN_AGE_MS <= milliseconds <= MAX_AGE_MS else None


def _whole(most: int) -> Callable[[object], object]:
    def read(written: object) -> object:
        whole = isinstance(written, int) and not isinstance(written, bool)
        return written if whole and 1 <= written <= most else None  # type: ignore[operator]

    return read


_READERS: Mapping[str, tuple[str, Callable[[object], object], str]] = {
    "mode": ("mode", _mode, 'must be "warm" or "fresh"'),
    "concurrency": (
        "concurrency",
        _whole(MAX_CONCURRENCY),
        f"must be a whole number from 1 to {MAX_CONCURRENCY}",
    ),
    "memory": (
        "memory_bytes",
        _memory,
        f'must be a size from {MIN_MEMORY_MIB}MiB to {MAX_MEMORY_MIB // 1024}GiB, e.g. "256MiB"',
    ),
    "max_calls": ("max_calls", _whole(MAX_CALLS), f"must be a whole number from 1 to {MAX_CALLS}"),
    "max_age": (
        "max_age_ms",
        _age,
        'must be a duration from 1 second to 7 days, e.g. "30m" or "12h"',
    ),
    "min_ready": (
        "min_ready",
        _whole(MAX_READY),
        f"must be a whole number from 1 to {MAX_READY}",
    ),
}
"""Key to what it is stored as, how it is read (None: wrong), and what it must be."""
