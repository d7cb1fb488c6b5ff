"""The keys that sign our access tokens: private parts protected, public ones published.

One key signs; a rotation puts a new one in its place, destroys the private part of the former, and
goes on publishing its public part until the last token it signed has expired. Losing the file
makes present tokens worthless and nothing else: a new key is made at the next start.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from joserfc import jwt
from joserfc.jwk import RSAKey

from app.application.ports import Clock, Vault
from app.sqlite_files import Format, from_microseconds, to_microseconds

ALGORITHM = "RS256"
"""Slower to sign than elliptic curves, but the one that every client can verify (RFC 7518)."""

PURPOSE = "token-signing"
_BITS = 2048
_NOTICED = timedelta(minutes=1)
"""Longest that another process may sign with a key after its replacement."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS signing_keys (
    kid TEXT PRIMARY KEY,
    public TEXT NOT NULL,
    private BLOB,
    created_at INTEGER NOT NULL,
    published_until INTEGER
);
CREATE UNIQUE INDEX IF NOT EXISTS one_key_signs
    ON signing_keys (published_until IS NULL) WHERE published_until IS NULL;
"""
_FILE = Format("The file of signing keys", _SCHEMA)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The public side of a key."""

    kid: str
    """Thumbprint of the public key (RFC 7638)."""
    public: RSAKey
    created_at: datetime
    published_until: datetime | None
    """None while it signs."""


class SigningKeys:
    """Implements ``TokenSigner``. Safe for many threads and many processes."""

    def __init__(self, path: Path, vault: Vault, clock: Clock, *, lifetime: timedelta) -> None:
        """Open the file, making a first key if there is none.

        ``lifetime`` is that of a token. Raises ``Stalled`` for a file that is not ours, and
        ``Rejected`` if the vault did not protect the key in it.
        """
        self._vault = vault
        self._clock = clock
        self._lifetime = lifetime
        self._path = path
        self._lock = threading.RLock()
        self._connection = _FILE.open(
            path,
            before_tables=("PRAGMA secure_delete = ON",),
            pragmas=("PRAGMA synchronous = FULL",),
        )
        self._keys: Mapping[str, SigningKey] = {}
        try:
            with self._writing():
                if not self._current_rows():
                    self._add()
            self._version = self._data_version()
            self._private = self._load()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file; the object is useless afterwards."""
        with self._lock:
            self._connection.close()

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a token signed by the current key."""
        with self._lock:
            self._refresh()
            key = self._private
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}
        return jwt.encode(header, dict(claims), key)

    def public_keys(self) -> Mapping[str, Any]:
        """Return the published keys as a JWK Set, the one that signs first."""
        return {"keys": [key.public.as_dict(private=False) for key in self.published()]}

    def public_key(self, kid: str) -> RSAKey | None:
        """Return a published key."""
        return next((key.public for key in self.published() if key.kid == kid), None)

    def published(self) -> tuple[SigningKey, ...]:
        """Return the published keys, the one that signs first; other processes are noticed."""
        with self._lock:
            self._refresh()
            known = self._keys.values()
        now = self._clock()
        return tuple(k for k in known if k.published_until is None or k.published_until > now)

    def rotate(self, *, withdraw: bool = False) -> str:
        """Sign with a new key from now on; return its id.

        The former ones stay published as long as their tokens live, unless they are withdrawn,
        which makes every token worthless that they signed.
        """
        with self._lock:
            with self._writing():
                now = self._clock()
                self._connection.execute(
                    "DELETE FROM signing_keys WHERE ? OR published_until < ?",
                    (withdraw, to_microseconds(now)),
                )
                self._connection.execute(
                    "UPDATE signing_keys SET private = NULL, published_until = ?"
                    " WHERE published_until IS NULL",
                    (to_microseconds(now + self._lifetime + _NOTICED),),
                )
                kid = self._add()
            # Like the vault's keys: a deleted private part must not live on in the log.
            with _FILE.errors_told(self._path):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._private = self._load()
            return kid

    def _add(self) -> str:
        key = RSAKey.generate_key(_BITS, {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
        kid = str(key.kid)
        self._connection.execute(
            "INSERT INTO signing_keys (kid, public, private, created_at) VALUES (?, ?, ?, ?)",
            (
                kid,
                orjson.dumps(key.as_dict(private=False)).decode(),
                self._vault.protect(PURPOSE, key.as_pem(private=True)),
                to_microseconds(self._clock()),
            ),
        )
        return kid

    def _refresh(self) -> None:
        version = self._data_version()
        if version != self._version:
            self._version = version
            self._private = self._load()

    def _load(self) -> RSAKey:
        with _FILE.errors_told(self._path):
            rows = self._connection.execute(
                "SELECT kid, public, private, created_at, published_until FROM signing_keys"
                " ORDER BY published_until IS NOT NULL, created_at DESC"
            ).fetchall()
        keys = [_signing_key(kid, public, *times) for kid, public, _, *times in rows]
        kid, _, protected, *_ = rows[0]
        private = RSAKey.import_key(self._vault.reveal(PURPOSE, protected), {"kid": kid})
        self._keys = {key.kid: key for key in keys}
        return private

    def _current_rows(self) -> list[Any]:
        return self._connection.execute(
            "SELECT kid FROM signing_keys WHERE published_until IS NULL"
        ).fetchall()

    def _data_version(self) -> int:
        """Return a number that changes when another connection commits."""
        with _FILE.errors_told(self._path):
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, _FILE.errors_told(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _signing_key(kid: str, public: str, created: int, until: int | None) -> SigningKey:
    return SigningKey(
        kid,
        RSAKey.import_key(orjson.loads(public)),
        from_microseconds(created),
        from_microseconds(until) if until is not None else None,
    )
