"""The book of checkpoints: the keys that sign them, and every checkpoint that was ever signed.

It is a file of its own, so that whoever changes the ledger's database has not changed what was
signed about it. Private keys are protected by the vault; a rotation destroys the former one and
keeps its public part for ever, because old checkpoints are worth as much as they can be verified.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.application.history.transparency_ports import IssuedCheckpoint
from app.application.ports import Clock, Vault
from app.domain.errors import Stalled
from app.domain.history.checkpoints import (
    Checkpoint,
    NoteSignature,
    SignedCheckpoint,
    SignedNote,
    VerifierKey,
    opened_checkpoint,
)
from app.sqlite_files import Format, from_microseconds, to_microseconds
from app.vault.note_signatures import new_private_key, public_key_of, sign, verify

PURPOSE = "checkpoint-signing"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS checkpoint_keys (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    public BLOB NOT NULL UNIQUE,
    private BLOB,
    created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS one_key_signs
    ON checkpoint_keys (private IS NULL) WHERE private IS NOT NULL;
CREATE TABLE IF NOT EXISTS checkpoints (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    size INTEGER NOT NULL,
    note TEXT NOT NULL,
    made_at INTEGER NOT NULL
);
"""
_FILE = Format("The book of checkpoints", _SCHEMA)
_KEYS = "SELECT name, public FROM checkpoint_keys ORDER BY private IS NULL, sequence DESC"
_NOTES = "SELECT note FROM checkpoints ORDER BY size, sequence"


class SigningBook:
    """Implements ``CheckpointBook``. Safe for many threads and many processes."""

    def __init__(self, path: Path, vault: Vault, clock: Clock, *, origin: str) -> None:
        """Open the file, making a first key, named ``origin``, if there is none.

        A log keeps the name that its first key got. Raises ``Stalled`` for a file that is not ours,
        and ``Rejected`` if the vault did not protect the key in it.
        """
        self._vault = vault
        self._clock = clock
        self._path = path
        self._lock = threading.RLock()
        self._connection = _FILE.open(
            path,
            before_tables=("PRAGMA secure_delete = ON",),
            pragmas=("PRAGMA synchronous = FULL",),
        )
        try:
            with self._writing():
                if not self.verifier_keys():
                    self._add_key(origin)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file; the object is useless afterwards."""
        with self._lock:
            self._connection.close()

    @property
    def origin(self) -> str:
        """Name of the log, and of the keys that sign for it."""
        return self.verifier_keys()[0].name

    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """Return the public keys, the one that signs now first, replaced ones after it."""
        with self._reading():
            return tuple(VerifierKey(*row) for row in self._connection.execute(_KEYS))

    def newest(self) -> IssuedCheckpoint | None:
        """Return the largest checkpoint that was issued, the last one of that size."""
        with self._reading():
            row = self._connection.execute(
                "SELECT note, made_at FROM checkpoints ORDER BY size DESC, sequence DESC LIMIT 1"
            ).fetchone()
        if row is None:
            return None
        signed = opened_checkpoint(row[0], self.verifier_keys(), verify)
        return IssuedCheckpoint(signed, from_microseconds(row[1]))

    def issue(self, size: int, root: bytes) -> IssuedCheckpoint:
        """Sign and store; on return it is on the disk."""
        with self._writing():
            name, public, protected = self._connection.execute(
                "SELECT name, public, private FROM checkpoint_keys WHERE private IS NOT NULL"
            ).fetchone()
            key, checkpoint = VerifierKey(name, public), Checkpoint(name, size, root)
            private = self._vault.reveal(PURPOSE, protected)
            line = NoteSignature(name, key.key_id, sign(private, checkpoint.text.encode()))
            note = str(SignedNote(checkpoint.text, (line,)))
            now = self._clock()
            self._connection.execute(
                "INSERT INTO checkpoints (size, note, made_at) VALUES (?, ?, ?)",
                (size, note, to_microseconds(now)),
            )
        return IssuedCheckpoint(SignedCheckpoint(checkpoint, note, key), now)

    def rotate(self) -> VerifierKey:
        """Sign with a new key from now on; the former's private part is destroyed."""
        with self._writing():
            name = self.origin
            self._connection.execute("UPDATE checkpoint_keys SET private = NULL")
            self._add_key(name)
        # Like the vault's keys: a deleted private part must not live on in the log.
        with self._reading():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return self.verifier_keys()[0]

    def _add_key(self, name: str) -> None:
        private = new_private_key()
        self._connection.execute(
            "INSERT INTO checkpoint_keys (name, public, private, created_at) VALUES (?, ?, ?, ?)",
            (
                name,
                public_key_of(private),
                self._vault.protect(PURPOSE, private),
                to_microseconds(self._clock()),
            ),
        )

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, _FILE.errors_told(self._path):
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._reading():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


@dataclass(frozen=True, slots=True)
class BookContent:
    """What a book says to those who only verify."""

    keys: tuple[VerifierKey, ...] = ()
    notes: tuple[str, ...] = ()
    """By size; nobody has checked their signatures."""


def read_book(path: Path) -> BookContent:
    """Read a book without changing it, and without the vault; an absent one is empty.

    Raises ``Stalled`` if it is damaged.
    """
    if not path.exists():
        return BookContent()
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as file:
            keys = tuple(VerifierKey(*row) for row in file.execute(_KEYS))
            return BookContent(keys, tuple(note for (note,) in file.execute(_NOTES)))
    except sqlite3.Error as error:
        raise Stalled(f"The book of checkpoints {path} cannot be read: {error}.") from error
