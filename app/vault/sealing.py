"""The vault: secret values under keys of their own, other data under a key for its purpose.

*Secrets.* Each value has a random data key; what is stored in events is useless without it. The
data key is stored wrapped under the current master key, so that rotating the master key touches
no event, and deleting the data key makes the value unreadable in every copy of the events.

*Other data* (``protect``) is encrypted under a key derived for its purpose from a random root key,
of which there is one for each master key that was ever current. Roots are wrapped and re-wrapped
like data keys: deriving from the master key itself would tie its retirement to all such data.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from pathlib import Path

from ulid_transform import ulid_now

from app.application.ports import Clock
from app.domain.errors import Conflict, NotFound, Rejected, Stalled
from app.domain.hooks.secrets import SealedSecret
from app.vault.envelopes import bind, decrypt, derive, encrypt, new_key
from app.vault.key_table import KeyTable, Kind, WrappedKey
from app.vault.keyring import KeyRing, MasterKey, missing_keys

_BATCH = 500
_ENVELOPE = b"\x01"
_ROOT_ID_CHARACTERS = 26
_HEAD = len(_ENVELOPE) + _ROOT_ID_CHARACTERS

Progress = Callable[[int, int], None]
"""Called with the number of keys done and of all keys."""


def open_vault(key_file: Path, database: Path, clock: Clock) -> SealingVault:
    """Open the vault, making a key file on the very first run only.

    Raises ``Stalled`` when the key file is gone while keys are stored that need it: a new one
    would hide the loss until the first secret is read.
    """
    if not key_file.exists():
        count_keys(key_file, database, clock)
    return SealingVault(KeyRing(key_file, clock), database, clock)


def count_keys(key_file: Path, database: Path, clock: Clock) -> int:
    """Return how many master keys there are, 0 if the first is still to be made; make nothing.

    Raises ``Stalled`` for what ``open_vault`` would not open.
    """
    keys = KeyRing(key_file, clock).keys if key_file.exists() else ()
    if database.exists():
        with contextlib.closing(KeyTable(database)) as table:
            missing = set(table.master_ids()) - {key.id for key in keys}
        if missing:
            raise missing_keys(key_file, sorted(missing))
    return len(keys)


class SealingVault:
    """Implements the ``Vault`` port, and what an operator does with its keys. Thread-safe."""

    def __init__(self, keyring: KeyRing, database: Path, clock: Clock) -> None:
        """Open the table of wrapped keys; raise ``Stalled`` if a master key for it is missing."""
        self._keyring = keyring
        self._clock = clock
        self._table = KeyTable(database)
        known = {key.id for key in keyring.keys}
        missing = [key_id for key_id in self._table.master_ids() if key_id not in known]
        if missing:
            self._table.close()
            raise missing_keys(keyring.path, missing)
        self._roots: dict[str, str] = {}
        self._purpose_keys: dict[tuple[str, str], bytes] = {}

    @property
    def keyring(self) -> KeyRing:
        """The master keys in use."""
        return self._keyring

    def close(self) -> None:
        """Close the table of wrapped keys."""
        self._table.close()

    def seal(self, hook_id: str, name: str, value: str) -> SealedSecret:
        """Encrypt under a new data key; on return the key is on the disk.

        A key whose secret never reaches an event is an orphan, removed by ``sweep``.
        """
        key_id = ulid_now()
        try:
            plain = value.encode()
        except UnicodeEncodeError:
            # The error would carry the value.
            raise Rejected(f"The value of the secret {name} is not valid Unicode text.") from None
        data_key = new_key()
        sealed = encrypt(data_key, plain, bind("secret", hook_id, name, key_id))
        with self._table.writing():
            self._add("data", key_id, data_key)
        return SealedSecret(name, key_id, base64.b64encode(sealed).decode())

    def open(self, hook_id: str, secret: SealedSecret) -> str:
        """Decrypt a secret of this hook.

        Raises ``NotFound`` when its key was destroyed, ``Rejected`` when it was moved from another
        hook, name or key, or altered, and ``Stalled`` when the master key is missing.
        """
        wrapped = self._table.find(secret.key_id)
        if wrapped is None or wrapped.kind != "data":
            raise NotFound(
                f"The secret {secret.name} of hook {hook_id} cannot be read: its key "
                f"{secret.key_id} was destroyed. Set the secret anew."
            )
        data_key = self._unwrap(wrapped)
        try:
            sealed = base64.b64decode(secret.ciphertext, validate=True)
        except (binascii.Error, ValueError):
            sealed = b""
        bound_to = bind("secret", hook_id, secret.name, secret.key_id)
        plain = decrypt(data_key, sealed, bound_to)
        if plain is None:
            raise Rejected(
                f"The secret {secret.name} of hook {hook_id} was altered, or was sealed for "
                "another hook, name or key. Set the secret anew."
            )
        return plain.decode()

    def destroy(self, key_ids: Iterable[str]) -> None:
        """Delete data keys from the database and its log; unknown ids are ignored."""
        with self._table.writing():
            self._table.delete_data_keys(key_ids)
        self._table.shred()

    def sweep(self, known_key_ids: Collection[str], older_than: timedelta) -> int:
        """Destroy data keys that no event mentions; return how many there were.

        ``older_than`` must exceed the time between sealing a value and saving its event (minutes
        are ample), and ``known_key_ids`` must be read before this is called.
        """
        known = frozenset(known_key_ids)
        candidates = self._table.data_keys_before(self._clock() - older_than)
        orphans = [key_id for key_id in candidates if key_id not in known]
        if orphans:
            self.destroy(orphans)
        return len(orphans)

    def rewrap(self, progress: Progress | None = None) -> int:
        """Wrap every key under the current master key; return how many were changed.

        Works in batches, each its own transaction: a crash leaves both kinds readable, and the
        next call does the rest. Ciphertexts stay as they are.
        """
        done = 0
        total = self._table.count_not_wrapped_under(self._keyring.current.id)
        while True:
            with self._table.writing():
                master = self._keyring.current
                batch = self._table.not_wrapped_under(master.id, _BATCH)
                for key in batch:
                    plain = self._unwrap(key)
                    self._table.replace(
                        key.key_id, master.id, _wrap(master, key.kind, key.key_id, plain)
                    )
            if not batch:
                break
            done += len(batch)
            if progress is not None:
                progress(done, max(done, total))
        self._table.shred()
        return done

    def retire(self, master_id: str) -> None:
        """Take an old master key out of the key file for ever.

        Raises ``Conflict`` when it is the current key or still wraps keys (call ``rewrap``), and
        ``NotFound`` when there is none of that id.
        """
        # The write lock keeps other processes from wrapping under the key meanwhile.
        with self._table.writing():
            used = self._table.count_wrapped_under(master_id)
            if used:
                raise Conflict(
                    f"The master key {master_id} still wraps {used} keys: re-wrap them first."
                )
            self._keyring.remove(master_id)

    def protect(self, purpose: str, data: bytes) -> bytes:
        """Encrypt bytes for one purpose; they stay readable over rotations of the master key."""
        root_id = self._current_root()
        head = _ENVELOPE + root_id.encode()
        key = self._purpose_key(root_id, purpose)
        return head + encrypt(key, data, bind("protect", root_id, purpose))

    def reveal(self, purpose: str, protected: bytes) -> bytes:
        """Undo ``protect``; raise ``Rejected`` when altered or made for another purpose."""
        root_id = protected[len(_ENVELOPE) : _HEAD].decode("ascii", "replace")
        plain = None
        if protected.startswith(_ENVELOPE) and self._knows_root(root_id):
            key = self._purpose_key(root_id, purpose)
            plain = decrypt(key, protected[_HEAD:], bind("protect", root_id, purpose))
        if plain is None:
            raise Rejected(
                f"The data was altered, or was not protected for {purpose!r} by this vault."
            )
        return plain

    def _add(self, kind: Kind, key_id: str, key: bytes) -> str:
        """Wrap and insert a key; only while holding the table's write lock.

        ``retire`` needs the same lock: it cannot remove the master key before the row is there.
        """
        master = self._keyring.current
        wrapped = _wrap(master, kind, key_id, key)
        self._table.add(WrappedKey(key_id, kind, master.id, master.id, wrapped, self._clock()))
        return key_id

    def _unwrap(self, key: WrappedKey) -> bytes:
        master = self._keyring.key(key.master_id)
        plain = decrypt(_wrapping_key(master), key.wrapped, bind(key.kind, key.key_id))
        if plain is None:
            raise Stalled(
                f"The stored key {key.key_id} was altered: the master key {master.id} does not "
                "open it. Put back the vault's database from your backup."
            )
        return plain

    def _current_root(self) -> str:
        master_id = self._keyring.current.id
        root_id = self._roots.get(master_id)
        if root_id is None:
            with self._table.writing():
                master = self._keyring.current
                root = self._table.root_born_under(master.id)
                root_id = root.key_id if root else self._add("root", ulid_now(), new_key())
            self._roots[master.id] = root_id
        return root_id

    def _knows_root(self, root_id: str) -> bool:
        if root_id in self._roots.values():
            return True
        root = self._table.find(root_id)
        return root is not None and root.kind == "root"

    def _purpose_key(self, root_id: str, purpose: str) -> bytes:
        key = self._purpose_keys.get((root_id, purpose))
        if key is None:
            root = self._table.find(root_id)
            if root is None:
                raise Stalled(f"The vault's database lost the key {root_id}; restore it.")
            key = derive(self._unwrap(root), purpose)
            self._purpose_keys[root_id, purpose] = key
        return key


def _wrapping_key(master: MasterKey) -> bytes:
    return derive(master.material, "wrap")


def _wrap(master: MasterKey, kind: Kind, key_id: str, key: bytes) -> bytes:
    return encrypt(_wrapping_key(master), key, bind(kind, key_id))
