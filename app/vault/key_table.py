"""Wrapped keys in a SQLite file of their own, where deleting a row destroys its bytes.

``secure_delete`` overwrites deleted rows, and a truncating checkpoint after each deletion empties
the write-ahead log, so a destroyed key is in neither file. Backups and file-system snapshots keep
what they copied: keep those of this file for a short time only.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from app.sqlite_files import Format, from_microseconds, to_microseconds

_LOG = logging.getLogger("hookledger.vault")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS wrapped_keys (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('data', 'root')),
    born_under TEXT NOT NULL,
    master_id TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS wrapped_keys_by_master ON wrapped_keys (master_id);
CREATE UNIQUE INDEX IF NOT EXISTS one_root_for_each_master
    ON wrapped_keys (born_under) WHERE kind = 'root';
"""
_KEY_FILE = Format("The key table", _SCHEMA)

Kind = Literal["data", "root"]


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key encrypted under a master key."""

    key_id: str
    kind: Kind
    """``data``: of one secret value; ``root``: of everything protected since a rotation."""
    born_under: str
    """Id of the master key that was current when the key was made."""
    master_id: str
    """Id of the master key that it is wrapped under now."""
    wrapped: bytes
    created_at: datetime


class KeyTable:
    """The wrapped keys. Safe for many threads (one at a time) and many processes."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it with mode 0600; raise ``Stalled`` if it is not ours."""
        self._path = path
        self._lock = threading.RLock()
        self._connection = _KEY_FILE.open(
            path,
            before_tables=("PRAGMA secure_delete = ON",),
            pragmas=("PRAGMA synchronous = FULL",),
        )
        try:
            # Leftovers of a process that died between deleting and emptying the log.
            with self._translated():
                self.shred()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file; the object is useless afterwards."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the file's only write lock; commit at the end, or undo everything on an error."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has undone it already after some errors, e.g. of a full disk.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def add(self, key: WrappedKey) -> None:
        """Insert a key; on return from ``writing`` it is on the disk."""
        with self._lock, self._translated():
            self._connection.execute(
                "INSERT INTO wrapped_keys"
                " (key_id, kind, born_under, master_id, wrapped, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    key.key_id,
                    key.kind,
                    key.born_under,
                    key.master_id,
                    key.wrapped,
                    to_microseconds(key.created_at),
                ),
            )

    def find(self, key_id: str) -> WrappedKey | None:
        """Look a key up by its id."""
        return next(iter(self._select("WHERE key_id = ?", key_id)), None)

    def root_born_under(self, master_id: str) -> WrappedKey | None:
        """Look up the root key that was made while ``master_id`` was current."""
        return next(iter(self._select("WHERE kind = 'root' AND born_under = ?", master_id)), None)

    def not_wrapped_under(self, master_id: str, limit: int) -> list[WrappedKey]:
        """Return up to ``limit`` keys that are wrapped under another master key."""
        return self._select("WHERE master_id <> ? ORDER BY sequence LIMIT ?", master_id, limit)

    def count_not_wrapped_under(self, master_id: str) -> int:
        """Count the keys that are wrapped under another master key."""
        return self._count("master_id <> ?", master_id)

    def count_wrapped_under(self, master_id: str) -> int:
        """Count the keys that are wrapped under this master key."""
        return self._count("master_id = ?", master_id)

    def master_ids(self) -> tuple[str, ...]:
        """Return the ids of all master keys that are needed to read the table."""
        with self._lock, self._translated():
            rows = self._connection.execute("SELECT DISTINCT master_id FROM wrapped_keys")
            return tuple(sorted(row[0] for row in rows))

    def data_keys_before(self, time: datetime) -> list[str]:
        """Return the ids of the data keys made before ``time``."""
        with self._lock, self._translated():
            rows = self._connection.execute(
                "SELECT key_id FROM wrapped_keys WHERE kind = 'data' AND created_at < ?",
                (to_microseconds(time),),
            )
            return [row[0] for row in rows]

    def replace(self, key_id: str, master_id: str, wrapped: bytes) -> None:
        """Store a key as wrapped under another master key."""
        with self._lock, self._translated():
            self._connection.execute(
                "UPDATE wrapped_keys SET master_id = ?, wrapped = ? WHERE key_id = ?",
                (master_id, wrapped, key_id),
            )

    def delete_data_keys(self, key_ids: Iterable[str]) -> int:
        """Delete data keys; call ``shred`` after the commit. Returns how many there were."""
        with self._lock, self._translated():
            return self._connection.executemany(
                "DELETE FROM wrapped_keys WHERE kind = 'data' AND key_id = ?",
                ((key_id,) for key_id in key_ids),
            ).rowcount

    def shred(self) -> bool:
        """Empty the write-ahead log, where deleted rows live on; False if a reader prevents it."""
        with self._lock, self._translated():
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            _LOG.warning(
                "Deleted keys are still in %s-wal because another process keeps reading the file;"
                " they go with the next deletion or start.",
                self._path,
            )
        return not busy

    def _select(self, where: str, *values: object) -> list[WrappedKey]:
        with self._lock, self._translated():
            rows = self._connection.execute(
                "SELECT key_id, kind, born_under, master_id, wrapped, created_at"  # noqa: S608 (constant clauses)
                f" FROM wrapped_keys {where}",
                values,
            )
            return [_wrapped_key(row) for row in rows]

    def _count(self, where: str, *values: object) -> int:
        with self._lock, self._translated():
            row = self._connection.execute(
                f"SELECT count(*) FROM wrapped_keys WHERE {where}",  # noqa: S608 (constant clauses)
                values,
            ).fetchone()
        return int(row[0])

    def _translated(self) -> AbstractContextManager[None]:
        return _KEY_FILE.errors_told(self._path)


def _wrapped_key(row: tuple[str, Kind, str, str, bytes, int]) -> WrappedKey:
    key_id, kind, born_under, master_id, wrapped, created = row
    created_at = from_microseconds(created)
    return WrappedKey(key_id, kind, born_under, master_id, wrapped, created_at)
