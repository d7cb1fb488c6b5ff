"""A bare repository of our own: it borrows the objects of a local one, or holds those of a remote.

It holds no configuration but ours, so git may run in it. It is a cache: every file is written anew
when it differs, and deleting the directory loses nothing.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app.domain.errors import Stalled

_log = logging.getLogger("hookledger.gitops")

_ABANDONED_SECONDS = 600.0
"""Age at which a lock or a half-written pack belongs to no process any more."""
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
_HEAD = "ref: refs/heads/none\n"


class Mirror:
    """The mirror in ``directory``, made on first use."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def borrow(self, objects: Path) -> bool:
        """Read from the object directory ``objects`` from here on; tell whether that is new.

        Raises ``Stalled`` if the mirror cannot be written, or may not be ours.
        """
        written = str(objects)
        if "\n" in written or written.startswith(('"', "#")):
            raise Stalled(
                "The path of the repository holds characters that git cannot borrow from."
            )
        try:
            self._make()
            return self._write("objects/info/alternates", f"{written}\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def keep(self, program: str, text: str) -> Path:
        """Hold objects of its own from here on, and an executable file; return that file's path.

        Raises ``Stalled`` if the mirror cannot be written, or may not be ours.
        """
        try:
            self._make()
            # A local repository may have been followed here before, under the same id.
            (self.directory / "objects/info/alternates").unlink(missing_ok=True)
            self._write(program, text)
            (self.directory / program).chmod(0o700)
        except OSError as error:
            raise self._unwritable(error) from error
        return self.directory / program

    def remove_abandoned(self) -> None:
        """Remove what a killed git left: locks, which stop the next one, and unfinished packs."""
        before = time.time() - _ABANDONED_SECONDS
        for file in self._leftovers():
            try:
                if file.stat().st_mtime < before:
                    file.unlink()
                    _log.info("mirror_tidied", extra={"file": str(file)})
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._unwritable(error) from error

    def set_aside(self) -> Path:
        """Move a damaged mirror away, for a person to look at; the one before is deleted."""
        damaged = self.directory.with_name(f"{self.directory.name}.damaged")
        try:
            shutil.rmtree(damaged, ignore_errors=True)
            self.directory.rename(damaged)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._unwritable(error) from error
        return damaged

    def _leftovers(self) -> Iterator[Path]:
        yield from self.directory.glob("*.lock")
        yield from (self.directory / "refs").rglob("*.lock")
        yield from (self.directory / "objects").glob("*/tmp_*")
        yield from (self.directory / "objects/pack").glob("*.lock")

    def _make(self) -> None:
        self._make_directories()
        self._write("HEAD", _HEAD)
        self._write("config", _CONFIG)

    def _unwritable(self, error: OSError) -> Stalled:
        return Stalled(
            f"The mirror {self.directory} cannot be written: {error.strerror}; make it a "
            "directory that only the server may write, or delete it."
        )

    def _make_directories(self) -> None:
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        self.directory.mkdir(mode=0o700, exist_ok=True)
        found = self.directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise Stalled(f"{self.directory} is not a directory of this user's; delete it.")
        # Who can write here can have git run programs, so this is not left to the umask.
        self.directory.chmod(0o700)
        for name in ("objects/info", "objects/pack", "refs/heads"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)

    def _write(self, name: str, text: str) -> bool:
        """Replace a file whole unless it says ``text`` already; another process may do the same."""
        file = self.directory / name
        data = os.fsencode(text)
        if file.is_file() and file.read_bytes() == data:
            return False
        descriptor, temporary = tempfile.mkstemp(dir=file.parent)
        try:
            with open(descriptor, "wb") as opened:  # noqa: PTH123 (a descriptor, not a path)
                opened.write(data)
            Path(temporary).replace(file)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
        return True
