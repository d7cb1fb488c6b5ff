"""Identities of age (X25519), to which authors seal secrets that they commit.

The public part, the recipient, is for everybody; the private part is protected by the vault. A
rotation adds an identity and keeps the former ones, so that files sealed to them can still be read.
The format is age-encryption.org/v1.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyrage

from app.application.ports import Clock, Vault
from app.domain.errors import NotFound, Rejected
from app.domain.hooks.secrets import SealedSecret
from app.sqlite_files import Format, from_microseconds, to_microseconds

PURPOSE = "age-identity"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS identities (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient TEXT NOT NULL UNIQUE,
    protected BLOB NOT NULL,
    created_at INTEGER NOT NULL
);
"""
_FILE = Format("The file of age identities", _SCHEMA)


@dataclass(frozen=True, slots=True)
class Recipient:
    """The public side of an identity."""

    text: str
    """``age1…``"""
    created_at: datetime


class AgeIdentities:
    """Implements ``SealedFiles``. Safe for many threads and many processes."""

    def __init__(self, path: Path, vault: Vault, clock: Clock) -> None:
        """Open the file, making a first identity if there is none; raise ``Stalled``."""
        self._path = path
        self._vault = vault
        self._clock = clock
        self._lock = threading.RLock()
        self._connection = _FILE.open(path, pragmas=("PRAGMA synchronous = FULL",))
        try:
            self._add(only_first=True)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file; the object is useless afterwards."""
        with self._lock:
            self._connection.close()

    @property
    def recipient(self) -> str:
        """To whom new values are sealed; a rotation by another process is noticed."""
        return self.recipients()[0].text

    def recipients(self) -> tuple[Recipient, ...]:
        """Return all recipients, the current one first."""
        return tuple(Recipient(text, from_microseconds(at)) for text, _, at in self._rows())

    def rotate(self) -> str:
        """Have values sealed to a new identity from now on; return its recipient."""
        return self._add(only_first=False)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt what was sealed to any of our identities; raise ``Rejected``."""
        return _opened(sealed, [self._identity(row[1]) for row in self._rows()])

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether the current identity opens it, so that it need not be sealed anew."""
        try:
            _opened(sealed, [self._identity(self._rows()[0][1])])
        except Rejected:
            return False
        return True

    def holds(self, hook_id: str, secret: SealedSecret, value: str) -> bool:
        """Tell whether a stored secret has this value; False if it cannot be read any more."""
        try:
            stored = self._vault.open(hook_id, secret)
        except (NotFound, Rejected):
            return False
        return hmac.compare_digest(stored.encode(), value.encode())

    def _identity(self, protected: bytes) -> pyrage.x25519.Identity:
        return pyrage.x25519.Identity.from_str(self._vault.reveal(PURPOSE, protected).decode())

    def _add(self, *, only_first: bool) -> str:
        identity = pyrage.x25519.Identity.generate()
        recipient = str(identity.to_public())
        protected = self._vault.protect(PURPOSE, str(identity).encode())
        condition = "WHERE NOT EXISTS (SELECT 1 FROM identities)" if only_first else ""
        with self._lock, _FILE.errors_told(self._path):
            self._connection.execute(
                "INSERT INTO identities (recipient, protected, created_at)"
                f" SELECT ?, ?, ? {condition}",
                (recipient, protected, to_microseconds(self._clock())),
            )
        return recipient

    def _rows(self) -> list[tuple[str, bytes, int]]:
        with self._lock, _FILE.errors_told(self._path):
            return self._connection.execute(
                "SELECT recipient, protected, created_at FROM identities ORDER BY sequence DESC"
            ).fetchall()


def seal_to(recipient: str, plain: bytes) -> bytes:
    """Encrypt for a server, as text; raise ``Rejected`` for what is no recipient."""
    try:
        to = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise Rejected(f"`{recipient[:100]}` is no recipient of age (`age1…`).") from None
    return bytes(pyrage.encrypt(plain, [to], armored=True))


def _opened(sealed: bytes, identities: Sequence[pyrage.x25519.Identity]) -> bytes:
    try:
        return bytes(pyrage.decrypt(sealed, identities))
    except (pyrage.DecryptError, ValueError):
        # Its errors may quote what was decrypted.
        raise Rejected(
            "It cannot be decrypted by any key of this server: it was altered, or sealed for "
            "another server."
        ) from None
