"""Where a local repository keeps its refs and objects, found by reading files, not by git.

Git started inside a foreign repository obeys that repository's configuration, which may name
programs to run. So git is never started there, and files are read as hostile input: no FIFO that
blocks, no device, no file of a size that was not expected.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import Stalled, Transient

_MAX_POINTER_BYTES = 4096
_PIECE = 1024 * 1024
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
_PASSING = frozenset(
    {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.EAGAIN}
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Directories of a repository; they differ in a linked worktree."""

    git_dir: Path
    """Holds ``HEAD``."""
    common_dir: Path
    """Holds ``refs``, ``packed-refs`` and ``objects``."""

    @property
    def refs(self) -> Path:
        return self.common_dir / "refs"

    @property
    def objects(self) -> Path:
        return self.common_dir / "objects"


def locate(location: Path) -> Layout:
    """Find the repository at ``location``: a working tree, a linked worktree, or a bare one.

    Raises ``Stalled`` if there is none that can be followed, ``Transient`` if reading failed.
    """
    git_dir = _git_dir(location)
    pointer = read_text(git_dir / "commondir", _MAX_POINTER_BYTES)
    common_dir = git_dir if pointer is None else _join(git_dir, pointer.strip())
    if not (common_dir / "objects").is_dir() or not os.path.lexists(git_dir / "HEAD"):
        raise Stalled(
            f"There is no git repository at {location}; start where one is, or name it in the "
            "setting `repo`."
        )
    if (common_dir / "reftable").exists():
        raise Stalled(
            f"The repository {location} keeps its refs in the reftable format, which is not "
            "supported; run `git refs migrate --ref-format=files` in it."
        )
    return Layout(git_dir, common_dir)


def read_text(file: Path, limit: int) -> str | None:
    """Read a small text file; None if it does not exist.

    Raises ``Stalled`` for what is not a plain file of at most ``limit`` bytes, ``Transient`` for an
    error of the file system that may pass.
    """
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise _reading_failed(file, error) from error
    try:
        data = _read_plain(descriptor, file, limit)
    except OSError as error:
        raise _reading_failed(file, error) from error
    finally:
        os.close(descriptor)
    return None if data is None else data.decode("utf-8", "surrogateescape")


def _read_plain(descriptor: int, file: Path, limit: int) -> bytes | None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        return None
    if not stat.S_ISREG(mode):
        raise Stalled(f"{file} is not a plain file; it is not read.")
    pieces: list[bytes] = []
    left = limit + 1
    while left > 0 and (piece := os.read(descriptor, min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    if left <= 0:
        raise Stalled(f"{file} is larger than {limit} bytes; it is not read.")
    return b"".join(pieces)


def _git_dir(location: Path) -> Path:
    inner = location / ".git"
    if inner.is_dir():
        return inner
    pointer = read_text(inner, _MAX_POINTER_BYTES)
    if pointer is None:
        if not location.is_dir():
            raise Stalled(f"The repository {location} does not exist.")
        return location
    if not pointer.startswith("gitdir: "):
        raise Stalled(f"{inner} does not say where the repository is.")
    return _join(location, pointer.removeprefix("gitdir: ").rstrip("\r\n"))


def _join(base: Path, pointer: str) -> Path:
    if not pointer or "\0" in pointer:
        raise Stalled(f"{base} does not say where the repository is.")
    return Path(os.path.normpath(base / pointer))


def _reading_failed(file: Path, error: OSError) -> Stalled | Transient:
    if error.errno == errno.ELOOP:
        return Stalled(f"{file} is a symbolic link; it is not followed.")
    if error.errno in _PASSING:
        return Transient(f"{file} cannot be read at the moment: {error.strerror}.")
    return Stalled(f"{file} cannot be read: {error.strerror}.")
