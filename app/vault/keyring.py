"""The ring of master keys: one small text file, the only thing that must be kept apart and safe.

A key's id is a fingerprint of the key, so a damaged or edited line is noticed when it is read, not
when a secret can no longer be opened. Writers hold a lock on the file's folder and replace the file
whole; readers of other processes notice by its inode and times.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from app.application.ports import Clock
from app.domain.errors import Conflict, NotFound, Problem, Stalled
from app.vault.envelopes import KEY_BYTES, new_key

_FORMAT_LINE = "# hookledger master keys, format 1"
_HEADER = f"""{_FORMAT_LINE}
# Whoever can read this file can read every secret; whoever loses it loses them all. Keep it at mode
# 0600 and back it up apart from the databases. One key a line: id, key in base64, time it was made.
# The last key is the current one; the others are kept to read what was encrypted under them.
"""
_MAX_BYTES = 1 << 20
_FIELDS = 3


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A key that wraps other keys."""

    id: str
    """Fingerprint of ``material``; says nothing about it."""
    material: bytes = field(repr=False)
    created_at: datetime


class KeyRing:
    """The master keys of one file, oldest first. Safe for many threads and many processes."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Load the file, or write one with a first key if there is none.

        Raises ``Stalled`` when the file is unreadable, readable by others than its owner, owned by
        somebody else, or not in the known format (naming each bad line).
        """
        self._path = path.expanduser().absolute()
        self._clock = clock
        self._lock = threading.Lock()
        if not self._path.exists():
            self._create()
        self._mark, self._keys = _load(self._path)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    @property
    def keys(self) -> tuple[MasterKey, ...]:
        """All keys, the current one last; a change by another process is noticed."""
        with self._lock:
            self._refresh()
            return self._keys

    @property
    def current(self) -> MasterKey:
        """The newest key; a rotation by another process is noticed."""
        return self.keys[-1]

    def key(self, key_id: str) -> MasterKey:
        """Return the key; raise ``Stalled`` naming the id when the file does not hold it."""
        # What was loaded serves first: a file damaged later must not stop the reading of data.
        found = _find(self._keys, key_id) or _find(self.keys, key_id)
        if found is None:
            raise missing_keys(self._path, [key_id])
        return found

    def rotate(self) -> MasterKey:
        """Add a new key and make it the current one; on return it is on the disk."""
        fresh = _new_master_key(self._clock())
        self._rewrite(lambda keys: (*keys, fresh))
        return fresh

    def remove(self, key_id: str) -> None:
        """Take a key out of the file for ever; what is still encrypted under it is lost.

        ``SealingVault.retire`` calls this after making sure that nothing is. Raises ``NotFound``,
        or ``Conflict`` for the current key.
        """

        def without(keys: tuple[MasterKey, ...]) -> tuple[MasterKey, ...]:
            if keys[-1].id == key_id:
                raise Conflict(
                    f"The master key {key_id} is the current one: rotate, then retire it."
                )
            kept = tuple(key for key in keys if key.id != key_id)
            if len(kept) == len(keys):
                raise NotFound(f"There is no master key {key_id} in {self._path}.")
            return kept

        self._rewrite(without)

    def _create(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _folder_locked(self._path.parent):
                if not self._path.exists():
                    _replace(self._path, (_new_master_key(self._clock()),))
        except OSError as error:
            raise _unusable(self._path, "be created", error) from error

    def _rewrite(self, change: Callable[[tuple[MasterKey, ...]], tuple[MasterKey, ...]]) -> None:
        try:
            with self._lock, _folder_locked(self._path.parent):
                _, keys = _load(self._path)
                _replace(self._path, change(keys))
                self._mark, self._keys = _load(self._path)
        except OSError as error:
            raise _unusable(self._path, "be written", error) from error

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except OSError:
            # What was loaded stays true; the next start says that the file is gone.
            return
        if _mark_of(status) != self._mark:
            self._mark, self._keys = _load(self._path)


def missing_keys(path: Path, key_ids: list[str]) -> Stalled:
    """Make the error for master keys that are needed but are not in the file."""
    return Stalled(
        f"{path} does not hold the master key {', '.join(key_ids)}, under which stored data is "
        "encrypted. Put back the file from your backup; nothing else can read that data."
    )


def _find(keys: tuple[MasterKey, ...], key_id: str) -> MasterKey | None:
    return next((key for key in keys if key.id == key_id), None)


_Mark = tuple[int, int, int]


def _mark_of(status: os.stat_result) -> _Mark:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _new_master_key(now: datetime) -> MasterKey:
    material = new_key()
    return MasterKey(_fingerprint(material), material, now)


def _fingerprint(material: bytes) -> str:
    return "mk-" + hashlib.sha256(b"hookledger master key id\0" + material).hexdigest()[:16]


def _unusable(path: Path, what: str, error: OSError) -> Stalled:
    return Stalled(f"The master key file {path} cannot {what}: {error.strerror}.")


@contextlib.contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    # The folder, not the file: the file's inode changes with each rewrite.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, keys: tuple[MasterKey, ...]) -> None:
    """Write the file whole; a crash leaves the former file or this one, never a part."""
    target = path.resolve()
    fresh = target.with_name(f".{target.name}.new")
    # A file left by a crash may have been planted or opened by others: never reuse it.
    fresh.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(fresh, flags, 0o600), "w", encoding="ascii") as file:
        file.write(_HEADER)
        file.writelines(
            f"{key.id} {base64.b64encode(key.material).decode()} {key.created_at.isoformat()}\n"
            for key in keys
        )
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(target)


def _load(path: Path) -> tuple[_Mark, tuple[MasterKey, ...]]:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            _check_access(path, status)
            content = file.read(_MAX_BYTES)
    except OSError as error:
        raise _unusable(path, "be read", error) from error
    return _mark_of(status), _parse(path, content)


def _check_access(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Stalled(f"The master key file {path} is not a regular file.")
    if status.st_uid != os.geteuid():
        raise Stalled(
            f"The master key file {path} belongs to user {status.st_uid}, but the server runs as "
            f"user {os.geteuid()}. Make its owner the user that runs the server."
        )
    if status.st_mode & 0o077:
        raise Stalled(
            f"The master key file {path} has mode {stat.S_IMODE(status.st_mode):04o}: others than "
            f"its owner can get at it. Run `chmod 600 {path}`, and rotate if it was exposed."
        )


def _parse(path: Path, content: bytes) -> tuple[MasterKey, ...]:
    lines = content.decode("ascii", "replace").splitlines()
    keys: dict[str, MasterKey] = {}
    problems = []
    if not lines or lines[0] != _FORMAT_LINE:
        problems.append(Problem(f"the line must be `{_FORMAT_LINE}`", str(path), 1))
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        parsed = _parse_line(line)
        if isinstance(parsed, str):
            problems.append(Problem(parsed, str(path), number))
        elif parsed.id in keys:
            problems.append(Problem(f"the key {parsed.id} stands there twice", str(path), number))
        else:
            keys[parsed.id] = parsed
    if not keys and not problems:
        problems.append(Problem("the file holds no key", str(path)))
    if problems:
        raise Stalled(
            f"The master key file {path} is damaged or of an unknown format. Put back the file "
            "from your backup.",
            problems=problems,
        )
    return tuple(keys.values())


def _parse_line(line: str) -> MasterKey | str:
    """Read one key, or say what is wrong without quoting the line: it may hold a key."""
    fields = line.split()
    if len(fields) != _FIELDS:
        return f"expected {_FIELDS} fields (id, key, time), found {len(fields)}"
    key_id, encoded, created = fields
    material = _from_base64(encoded)
    if material is None:
        return f"the second field is not the base64 of {KEY_BYTES} bytes"
    if key_id != _fingerprint(material):
        return "the key and its id do not belong together"
    created_at = _from_iso(created)
    if created_at is None:
        return "the third field is not an ISO 8601 time with a zone"
    return MasterKey(key_id, material, created_at)


def _from_base64(encoded: str) -> bytes | None:
    try:
        material = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return material if len(material) == KEY_BYTES else None


def _from_iso(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
