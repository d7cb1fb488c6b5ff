"""Folders of packages: measured, checked, made read-only, and deleted again."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from app.domain.documents.packages import dependency_key
from app.domain.errors import Problem, Rejected

_FOLDER_MODE = 0o555
_FILE_MODE = 0o444
_PROGRAM_MODE = 0o555


def measure(folder: Path) -> tuple[int, int]:
    """Count the entries below ``folder`` and the bytes in them; what vanishes is not counted."""
    count = size = 0
    for entry in _walk(folder):
        count += 1
        try:
            size += entry.lstat().st_size
        except OSError:
            continue
    return count, size


def seal(folder: Path) -> None:
    """Make all below ``folder`` readable for everyone and writable for nobody.

    The folder itself stays as it is, since a folder that is read-only cannot be moved. Raises
    ``Rejected`` for a link that leads out of it, and for anything but files and folders.
    """
    root = folder.resolve()
    for path in _walk(folder):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            if not path.resolve().is_relative_to(root):
                raise _refused(f"{path.relative_to(folder)} is a link that leads out of its folder")
        elif stat.S_ISDIR(mode):
            path.chmod(_FOLDER_MODE)
        elif stat.S_ISREG(mode):
            path.chmod(_PROGRAM_MODE if mode & stat.S_IXUSR else _FILE_MODE)
        else:
            raise _refused(f"{path.relative_to(folder)} is neither a file nor a folder")


def remove(folder: Path) -> None:
    """Delete ``folder``, read-only or not; one that is gone already is fine."""
    for path in (folder, *_walk(folder)):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _walk(folder: Path) -> Iterator[Path]:
    """Yield everything below ``folder``, each folder before what it holds; follow no link."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent, name)


def _refused(what: str) -> Rejected:
    problem = Problem(f"a package cannot be installed: {what}", key=dependency_key(None))
    raise Rejected("The packages are not safe to install.", problems=[problem])
