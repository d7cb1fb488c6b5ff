"""Checkpoints appended to a file: put it where the server's administrators cannot change it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from app.domain.errors import Stalled
from app.domain.history.checkpoints import MAX_NOTE_CHARACTERS, split_notes

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class CheckpointFile:
    """An ``Anchor``: notes one after another, an empty line behind each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, note: str) -> None:
        """Append a note; on return it is on the disk. Raises ``Stalled``."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, _FLAGS, 0o600)
            try:
                _append(descriptor, f"{note}\n".encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise Stalled(
                f"The checkpoint could not be appended to {self._path}: {error.strerror}."
            ) from error


def _append(descriptor: int, data: bytes) -> None:
    """Write all or nothing: behind half a note, no other could be read."""
    size = os.fstat(descriptor).st_size
    if os.write(descriptor, data) < len(data):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def last_notes(path: Path) -> list[str]:
    """Return the last note of a file, if there is one; raise ``Stalled`` if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_NOTE_CHARACTERS))
            tail = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Stalled(f"The checkpoints in {path} cannot be read: {error.strerror}.") from error
    return list(split_notes(tail))[-1:]


def read_checkpoint_file(path: Path) -> list[str]:
    """Return the notes in a file; raise ``Stalled`` if it cannot be read."""
    try:
        return list(split_notes(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise Stalled(f"The checkpoints in {path} cannot be read: {error}.") from error
