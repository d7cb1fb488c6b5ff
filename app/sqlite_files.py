"""Opening SQLite files of our own: private, write-ahead logged, of a known format.

For adapters that keep a file beside the ledger (journal, queue, vault), which may not import each
other. The event store and the projections open theirs themselves, in the library's way.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.domain.errors import HookledgerError, Stalled, Transient

BUSY_SECONDS = 10.0
"""Longest that a statement waits for another process's lock."""

_WAL_ATTEMPTS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAY_PASS = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)


@dataclass(frozen=True, slots=True)
class Format:
    """What a file is called in errors, and what is in it."""

    name: str
    """With its article, as the beginning of a sentence: ``The queue``."""
    schema: str
    """Statements that may be run again."""
    version: int = 1
    """Kept in ``user_version``; a file of another version is refused."""
    way_out: str = ""
    """What else than a newer server helps when the version is another."""

    def open(
        self, path: Path, *, before_tables: tuple[str, ...] = (), pragmas: tuple[str, ...] = ()
    ) -> sqlite3.Connection:
        """Open for writing, making file (mode 0600) and tables if needed.

        ``before_tables`` runs first, ``pragmas`` once the file is in WAL mode. The connection is in
        autocommit and for one thread at a time. Raises ``Stalled`` or ``Transient``.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # SQLite gives the log files the mode of the database.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise Stalled(f"{self.name} {path} cannot be opened: {error.strerror}.") from error
        with self.errors_told(path):
            connection = self.connect(path)
            try:
                for statement in before_tables:
                    connection.execute(statement)
                _switch_to_wal(connection)
                for statement in pragmas:
                    connection.execute(statement)
                self._prepare(path, connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def connect(self, path: Path) -> sqlite3.Connection:
        """Open as it is; raises ``sqlite3.Error``."""
        return sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )

    @contextlib.contextmanager
    def errors_told(self, path: Path) -> Iterator[None]:
        """Turn SQLite's errors within the block into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise self.told(path, error) from error

    def told(self, path: Path, error: sqlite3.Error) -> HookledgerError:
        """Turn an error into ``Transient`` (locked, disk full) or ``Stalled`` (all else)."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _MAY_PASS:
            return Transient(f"{self.name} {path} cannot be used now: {error}.")
        return Stalled(f"{self.name} {path} cannot be used: {error}.")

    def _prepare(self, path: Path, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, self.version):
            sentence = (
                f"{self.name} {path} has format {version}, this server knows {self.version}. "
                f"Use the newer server that wrote it{self.way_out}."
            )
            raise Stalled(sentence)
        connection.executescript(
            f"BEGIN IMMEDIATE; {self.schema} PRAGMA user_version = {self.version}; COMMIT;"
        )


def to_microseconds(time: datetime) -> int:
    """Count microseconds since 1970, as times are stored; ``time`` must be aware."""
    passed = time - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def from_microseconds(count: int) -> datetime:
    """Undo ``to_microseconds``."""
    return _EPOCH + timedelta(microseconds=count)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait for its lock here when several processes open a new file at once.
    pause = threading.Event()
    for attempt in range(1, _WAL_ATTEMPTS + 1):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or attempt == _WAL_ATTEMPTS:
                raise
            pause.wait(BUSY_SECONDS / _WAL_ATTEMPTS)
        else:
            return
