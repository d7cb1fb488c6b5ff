"""Copies of the databases, whole and of one moment each, and the way back.

The vault is apart: whoever holds it and a master key can read secrets that were destroyed since, so
its copies belong in another place, and for a shorter time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec

from app.bootstrap.ambient import utc_now
from app.bootstrap.presence import alone
from app.bootstrap.storage import ANSWERS
from app.domain.errors import Problem, Rejected, Stalled
from config.settings import Settings

MANIFEST = "backup.json"
FORMAT = 1

LEDGER = "hookledger.db"
VAULT = "vault.db"
BESIDE = ("queue.db", "signing.db", "age.db", "checkpoints.db")
JOURNAL = "journal.db"

_PAGES = 1000
"""Pages between two looks at the progress: about 4 MB."""

Progress = Callable[[str, int, int], None]
"""Gets a file's name, and the pages done and to do."""


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """A file of a backup."""

    sha256: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds; stored in it as ``backup.json``."""

    format: int
    version: str
    """Of hookledger."""
    made_at: datetime
    position: int
    """The newest event in it; 0 if the ledger is not in it."""
    files: dict[str, CopiedFile]


def back_up(
    settings: Settings,
    folder: Path,
    *,
    version: str,
    vault: bool = False,
    journal: bool = False,
    progress: Progress,
) -> Manifest:
    """Copy the databases into a new folder, beside a server that may be running.

    With ``vault``, the vault's alone. Each file is of one moment. Raises ``Rejected`` when the
    folder is not empty, ``Stalled`` when something cannot be read or written.
    """
    names = (VAULT,) if vault else (LEDGER, *BESIDE, *((JOURNAL,) if journal else ()))
    existing = {name: path for name, path in _files(settings, names) if path.exists()}
    if not existing:
        raise Stalled(f"There is nothing to back up in {settings.data_dir}; is DATA_DIR right?")
    with _told(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Rejected(f"{folder} is not empty; give a folder that does not exist yet.")
        for name, path in existing.items():
            _copy(path, folder / name, partial(progress, name))
        manifest = Manifest(
            format=FORMAT,
            version=version,
            made_at=utc_now(),
            position=_position(folder / LEDGER) if LEDGER in existing else 0,
            files={name: _described(folder / name) for name in existing},
        )
        # Last and at once: a folder without it is a backup that was cut short.
        described = msgspec.json.format(msgspec.json.encode(manifest))
        _write(folder / MANIFEST, io.BytesIO(described))
    return manifest


def restore(settings: Settings, folder: Path, *, force: bool) -> Manifest:
    """Put a backup's files in place; what was there is kept, as ``<name>.before-<time>``.

    Raises ``Rejected`` when the backup is damaged, when files are there already (unless
    ``force``), ``Stalled`` while a server runs on them.
    """
    manifest = read_manifest(folder)
    places = dict(_files(settings, manifest.files))
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(settings), _told(settings.data_dir):
        taken = [path for path in places.values() if path.exists()]
        if taken and not force:
            listed = ", ".join(str(path) for path in taken)
            raise Rejected(f"There are files already: {listed}. Give --force to set them aside.")
        suffix = f"{utc_now():before-%Y%m%dT%H%M%SZ}"
        arrived = {name: _beside(path, "restoring") for name, path in places.items()}
        for name, path in arrived.items():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (folder / name).open("rb") as stored:
                _write(path, stored)
        # Answers tell of changes that the restored ledger may not have.
        if LEDGER in places:
            _set_aside(settings.data_dir / ANSWERS, suffix)
        for name, path in places.items():
            _set_aside(path, suffix)
            arrived[name].rename(path)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read what a backup holds, and compare its files with that; raise ``Rejected``."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise Rejected(f"{folder} holds no {MANIFEST}: no backup, or one cut short.") from None
    except msgspec.MsgspecError as error:
        raise Rejected(f"{folder / MANIFEST} is damaged: {error}.") from None
    if manifest.format != FORMAT:
        raise Rejected(f"{folder} is of format {manifest.format}; use the hookledger it names.")
    known = {LEDGER, VAULT, JOURNAL, *BESIDE}
    problems = [
        Problem("is not a file of hookledger", key=name)
        for name in manifest.files
        if name not in known
    ]
    problems += [
        Problem("is missing or is not what was backed up", file=str(folder / name))
        for name, described in manifest.files.items()
        if name in known and not _matches(folder / name, described)
    ]
    if problems:
        raise Rejected("The backup is damaged; nothing was restored.", problems=problems)
    return manifest


def _files(settings: Settings, names: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for name in names:
        yield name, settings.database if name == LEDGER else settings.data_dir / name


def _copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """Copy a database as it is at one moment, however long that takes."""
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    uri = f"{source.resolve().as_uri()}?mode=ro"
    with (
        contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as reading,
        contextlib.closing(sqlite3.connect(target, isolation_level=None)) as writing,
    ):
        # A transaction that has read keeps its moment; without it, each write begins anew.
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reading.backup(
            writing,
            pages=_PAGES,
            progress=lambda _, remaining, total: progress(total - remaining, total),
        )
        reading.execute("COMMIT")
        writing.execute("PRAGMA journal_mode = DELETE")
        (verdict,) = writing.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise Stalled(f"{source} is damaged: {verdict}.")


def _position(ledger: Path) -> int:
    with contextlib.closing(sqlite3.connect(ledger)) as reading:
        (newest,) = reading.execute("SELECT max(rowid) FROM stored_events").fetchone()
    return newest or 0


def _described(path: Path) -> CopiedFile:
    with path.open("rb") as file:
        return CopiedFile(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def _matches(path: Path, described: CopiedFile) -> bool:
    return path.is_file() and _described(path) == described


def _set_aside(path: Path, suffix: str) -> None:
    for part in (path, _beside(path, "-wal", ""), _beside(path, "-shm", "")):
        if part.exists():
            part.rename(_beside(part, suffix))


def _beside(path: Path, suffix: str, dot: str = ".") -> Path:
    return path.with_name(f"{path.name}{dot}{suffix}")


def _write(path: Path, content: BinaryIO) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Stalled(f"A database cannot be copied: {error}.") from error
    except OSError as error:
        raise Stalled(f"{error.filename or folder} cannot be used: {error.strerror}.") from error
