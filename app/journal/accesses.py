"""Accesses on their way to the journal: counted in memory, so that a flood is a few rows.

Alike are accesses of one kind, client, address, route, reason and subject within a minute (of
opened secrets: within a day). Callers that nobody knows may only make so many different ones a
minute and a day; beyond that their address is given as ``*``, so that they can neither fill the
disk nor push out what others did.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import astuple, replace

from app.application.journal_views import Access
from app.application.ports import Clock
from app.journal.buffer import Signals
from app.journal.database import JOURNAL_FILE, open_for_writing
from app.journal.rows import storable
from app.sqlite_files import to_microseconds

MOST_A_MINUTE = 50
MOST_A_DAY = 5_000
"""Rows of callers that are not known."""
MOST_OF_A_CLIENT = 200
"""Rows a minute of one client."""

EVERYWHERE = "*"
_MINUTE, _DAY = 60_000_000, 86_400_000_000


@dataclass(slots=True)
class Counted:
    """How often, and when first and last, in microseconds since 1970."""

    count: int
    first_at: int
    last_at: int


Key = tuple[int, Access]
"""Beginning of the minute or day, in microseconds since 1970."""


class AccessCounter:
    """Takes notes; thread-safe, a note takes about two microseconds."""

    def __init__(self, signals: Signals, clock: Clock) -> None:
        self._signals = signals
        self._clock = clock
        self._lock = threading.Lock()
        self._counted: dict[Key, Counted] = {}
        self._minute = self._day = 0
        self._seen: set[Access] = set()
        """Different ones of this minute."""
        self._by_client: dict[str, int] = {}
        self._strangers_today = 0

    def note(self, access: Access) -> None:
        """Count an access."""
        now = to_microseconds(self._clock())
        with self._lock:
            self._turn(now)
            access = self._folded(access)
            width = _DAY if access.kind == "secret_opened" else _MINUTE
            key = (now // width * width, access)
            counted = self._counted.get(key)
            if counted is None:
                self._counted[key] = Counted(1, now, now)
            else:
                counted.count += 1
                counted.last_at = now
        if not self._signals.filled.is_set():
            self._signals.filled.set()

    def take(self) -> dict[Key, Counted]:
        """Empty it."""
        with self._lock:
            taken, self._counted = self._counted, {}
        return taken

    def _turn(self, now: int) -> None:
        if now // _MINUTE != self._minute:
            self._minute = now // _MINUTE
            self._seen.clear()
            self._by_client.clear()
        if now // _DAY != self._day:
            self._day = now // _DAY
            self._strangers_today = 0

    def _folded(self, access: Access) -> Access:
        """Take the address away if there are too many different ones."""
        if access.kind == "secret_opened" or access in self._seen:
            return access
        others = self._by_client.get(access.client, 0)
        known = bool(access.client)
        full = others >= (MOST_OF_A_CLIENT if known else MOST_A_MINUTE)
        if full or (not known and self._strangers_today >= MOST_A_DAY):
            return replace(access, address=EVERYWHERE, subject="")
        self._seen.add(access)
        self._by_client[access.client] = others + 1
        self._strangers_today += not known
        return access


def note_alone(path: Path, access: Access, clock: Clock) -> None:
    """Store an access at once, beside the server that writes the journal.

    Raises ``Stalled`` or ``Transient`` if the journal cannot be written.
    """
    now = to_microseconds(clock())
    with contextlib.closing(open_for_writing(path)) as connection, JOURNAL_FILE.errors_told(path):
        store(connection, {(now // _MINUTE * _MINUTE, access): Counted(1, now, now)})


def store(connection: sqlite3.Connection, taken: dict[Key, Counted]) -> None:
    """Add counts to what is stored, within the caller's transaction."""
    connection.executemany(
        "INSERT INTO accesses (at, kind, client, address, route, reason, subject, count, first_at,"
        " last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (at, kind, client, address, route, reason, subject) DO UPDATE SET"
        " count = count + excluded.count, last_at = max(last_at, excluded.last_at)",
        [
            storable((at, *astuple(access), each.count, each.first_at, each.last_at))
            for (at, access), each in taken.items()
        ],
    )
