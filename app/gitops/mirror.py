"""A bare repository of our own that borrows the objects of a followed one.

It holds no objects, no refs and no configuration but ours, so git may run in it. It is a cache:
every file is written anew when it differs, and deleting the directory loses nothing.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from app.domain.errors import Stalled

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
            self._make_directories()
            self._write("HEAD", _HEAD)
            self._write("config", _CONFIG)
            return self._write("objects/info/alternates", f"{written}\n")
        except OSError as error:
            raise Stalled(
                f"The mirror {self.directory} cannot be written: {error.strerror}; make it a "
                "directory that only the server may write, or delete it."
            ) from error

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
