"""Views in one SQLite file, usually that of the event store.

Writing connections run with ``synchronous=NORMAL``: after a power cut the last batches may be
missing, rows and position alike, and are replayed from the events, which are written in full.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

from app.domain.errors import Stalled, Transient
from app.domain.revisions import Position
from projections.database import Database, Session

_STATEMENTS = 256
"""Kept prepared by each connection."""
_MOST_ROWS = 1024
_MOST_VALUES = 32_766
"""Of one statement; SQLite's limit."""

IDLE_READERS = 4
"""Reading connections kept open; more are opened while more threads read at once."""

_MAY_PASS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_SCHEMA,
    }
)


class SQLiteDatabase(Database):
    """Connections to one file: one writes, as many as needed read."""

    position_key: ClassVar[str] = "INTEGER PRIMARY KEY"
    bytes_type: ClassVar[str] = "BLOB"
    clustered: ClassVar[str] = " WITHOUT ROWID"

    def __init__(self, path: str | Path, *, lock_timeout: float = 15.0) -> None:
        self._path = Path(path).absolute()
        self._lock_timeout = lock_timeout
        self._writing = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        self._closed = False

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        with self._writing, self._errors_told():
            if self._writer is None:
                self._writer = self._connect()
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield SQLiteSession(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                self._discard_writer()
                raise

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        with self._errors_told():
            connection = self._borrow()
            try:
                connection.execute("BEGIN")
                yield SQLiteSession(connection)
                connection.execute("ROLLBACK")
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)

    def locking(self, sql: str) -> str:
        """Return ``sql`` as it is: ``BEGIN IMMEDIATE`` has locked the file."""
        return sql

    def text_tables(self, table: str) -> tuple[str, ...]:
        # Contentless: the texts are in the rows already, and rows never change.
        return (f"CREATE VIRTUAL TABLE {table}_words USING fts5(text, content='')",)

    def drop_text(self, table: str) -> tuple[str, ...]:
        return (f"DROP TABLE IF EXISTS {table}_words",)

    def add_texts(
        self, session: Session, table: str, texts: Sequence[tuple[Position, str]]
    ) -> None:
        session.insert(f"INSERT INTO {table}_words (rowid, text)", texts)

    def word_query(self, words: Sequence[str]) -> str:
        # A word in quotes is a phrase to FTS5, never syntax; quotes within are doubled.
        return " AND ".join('"' + word.replace('"', '""') + '"' for word in words)

    def word_walk(self, table: str, *, descending: bool) -> str:
        return (
            f"SELECT rowid FROM {table}_words WHERE {table}_words MATCH ? "  # noqa: S608 (a name of ours)
            f"AND rowid >= ? AND rowid <= ? ORDER BY rowid{' DESC' if descending else ''} LIMIT ?"
        )

    def close(self) -> None:
        with self._writing:
            self._closed = True
            self._discard_writer()
            while self._readers:
                self._readers.pop().close()

    def _borrow(self) -> sqlite3.Connection:
        try:
            return self._readers.pop()
        except IndexError:
            connection = self._connect()
            connection.execute("PRAGMA query_only=ON")
            return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed or len(self._readers) >= IDLE_READERS:
            connection.close()
        else:
            self._readers.append(connection)

    def _discard_writer(self) -> None:
        # Closing rolls back whatever is open, also where ROLLBACK itself would fail.
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise Stalled(f"The views in {self._path} are closed; the server is stopping.")
        connection = sqlite3.connect(
            self._path,
            timeout=self._lock_timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            sentence = f"The views in {self._path} cannot be used: {error}."
            # The low byte is the kind of error, the rest its variety.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _MAY_PASS:
                raise Transient(sentence) from error
            raise Stalled(f"{sentence} Run `hookledger rebuild`, or restore a backup.") from error


class SQLiteSession:
    """An open transaction on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, parameters).fetchall()

    def run(self, sql: str, *parameters: Any) -> None:
        self._connection.execute(sql, parameters)

    def run_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        self._connection.executemany(sql, parameters)

    def insert(self, into: str, rows: Sequence[Sequence[Any]], conflict: str = "") -> None:
        """Insert by powers of two, so that few statements are needed and stay prepared.

        ``executemany`` would be as quick, but ask for the interpreter's lock at every row.
        """
        done = 0
        while left := len(rows) - done:
            width = len(rows[done])
            count = 1 << (min(left, _MOST_ROWS, _MOST_VALUES // width).bit_length() - 1)
            values = tuple(chain.from_iterable(rows[done : done + count]))
            self._connection.execute(_inserting(into, width, count, conflict), values)
            done += count


@functools.lru_cache(maxsize=_STATEMENTS)
def _inserting(into: str, width: int, count: int, conflict: str) -> str:
    row = f"({', '.join('?' * width)})"
    return f"{into} VALUES {', '.join([row] * count)} {conflict}"
