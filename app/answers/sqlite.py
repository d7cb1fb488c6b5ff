"""The answers' SQLite file; safe for many threads (one at a time) and many processes.

Everything that came from the caller is encrypted, or hashed: a request may hold secrets, a hash of
it would let them be guessed, and the key may say more than it should.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from app.application.callers.answer_once import (
    KEPT_FOR,
    MOST_BYTES_OF_A_CALLER,
    MOST_OF_A_CALLER,
    KeptAnswer,
)
from app.application.ports import Clock, Vault
from app.domain.errors import Rejected
from app.sqlite_files import Format, to_microseconds

PURPOSE = "answers"

_LOG = logging.getLogger("hookledger.answers")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    caller TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    protected BLOB NOT NULL,
    PRIMARY KEY (caller, key_hash)
);
CREATE INDEX IF NOT EXISTS answers_by_time ON answers (at);
CREATE INDEX IF NOT EXISTS answers_of_a_caller ON answers (caller, at, size);
"""
_FILE = Format(
    "The file of answers", _SCHEMA, way_out=", or delete it: repeated requests are carried out anew"
)


class _Content(msgspec.Struct, frozen=True, array_like=True):
    key_hash: bytes
    """Again, so that nobody can put an answer under another key."""
    kept: KeptAnswer


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(_Content).decode


class SqliteAnswers:
    """Implements ``AnswerStore``."""

    def __init__(self, path: Path, vault: Vault, clock: Clock) -> None:
        """Open the file, making it with mode 0600; raise ``Stalled`` if it is not ours."""
        self._path = path
        self._vault = vault
        self._clock = clock
        self._lock = threading.Lock()
        self._connection = _FILE.open(path)

    def close(self) -> None:
        """Close the file; the object is useless afterwards."""
        with self._lock:
            self._connection.close()

    def find(self, caller: str, key: str) -> KeptAnswer | None:
        """Return what is not past its time; what cannot be read is as good as forgotten."""
        key_hash = _hash(caller, key)
        with self._using() as connection:
            row = connection.execute(
                "SELECT protected FROM answers WHERE caller = ? AND key_hash = ? AND at > ?",
                (caller, key_hash, self._oldest()),
            ).fetchone()
        if row is None:
            return None
        try:
            content = _decode(self._vault.reveal(PURPOSE, row[0]))
        except (Rejected, msgspec.DecodeError):
            _LOG.exception("A kept answer of %s cannot be read; its request is new again.", caller)
            return None
        return content.kept if content.key_hash == key_hash else None

    def keep(self, caller: str, key: str, kept: KeptAnswer) -> None:
        """Store, then forget what is past its time or beyond the caller's bounds."""
        key_hash = _hash(caller, key)
        protected = self._vault.protect(PURPOSE, _encode(_Content(key_hash, kept)))
        now = to_microseconds(self._clock())
        with self._using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)",
                    (caller, key_hash, now, len(protected), protected),
                )
                connection.execute("DELETE FROM answers WHERE at <= ?", (self._oldest(),))
                self._make_room(connection, caller)
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

    def _make_room(self, connection: sqlite3.Connection, caller: str) -> None:
        (count, size) = connection.execute(
            "SELECT count(*), total(size) FROM answers WHERE caller = ?", (caller,)
        ).fetchone()
        while count > MOST_OF_A_CALLER or (size > MOST_BYTES_OF_A_CALLER and count > 1):
            rowid, freed = connection.execute(
                "SELECT rowid, size FROM answers WHERE caller = ? ORDER BY at LIMIT 1", (caller,)
            ).fetchone()
            connection.execute("DELETE FROM answers WHERE rowid = ?", (rowid,))
            count, size = count - 1, size - freed

    def _oldest(self) -> int:
        return to_microseconds(self._clock() - KEPT_FOR)

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _FILE.errors_told(self._path):
            yield self._connection


def _hash(caller: str, key: str) -> bytes:
    return hashlib.sha256(f"{len(caller)}:{caller}{key}".encode()).digest()
