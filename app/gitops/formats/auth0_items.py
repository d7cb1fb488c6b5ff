"""What a file of the Deploy CLI says of one hook, before it is judged."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.errors import Problem, Rejected
from app.gitops.formats.documents import Document, Path
from app.gitops.formats.files import Files


@dataclass(frozen=True, slots=True)
class HookItem:
    """Members as they are written, markers hidden; and where they stand."""

    document: Document
    at: Path
    members: Mapping[str, Any]
    beside: str
    """Folder that the script's place is relative to; the Deploy CLI also tries the top."""

    @classmethod
    def of(cls, document: Document, members: Any, at: Path, beside: str) -> HookItem:
        """Make an item; raise ``Rejected`` if ``members`` is no object."""
        if isinstance(members, dict):
            return cls(document, at, members, beside)
        message = "must be an object that describes a hook"
        problem = Problem(message, document.file, document.line_of(at) or 1)
        raise Rejected("A hook cannot be read.", problems=[problem])

    @property
    def file(self) -> str:
        return self.document.file

    def problem(self, message: str, *path: str | int) -> Problem:
        """Say what is wrong at ``path`` below the item."""
        place = (*self.at, *path)
        parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place]
        key = "".join(parts).removeprefix(".") or None
        return Problem(message, self.file, self.document.line_of(place) or 1, key)


def find_script(files: Files, item: HookItem, written: str, limit: int) -> tuple[str, bytes] | None:
    """Return place and content of the script that an item names, None if there is none.

    Raises ``Rejected`` for a place outside of the source's path, or what may not be read.
    """
    relative = written.replace("\\", "/")
    for folder in dict.fromkeys((item.beside, "")):
        place = posixpath.normpath(posixpath.join(folder, relative))
        if relative.startswith("/") or place.split("/")[0] in ("..", ""):
            continue
        content = files.read(place, limit)
        if content is not None:
            return place, content
    if relative.startswith("/") or posixpath.normpath(relative).startswith(".."):
        problem = item.problem("leads out of the followed folder", "script")
        raise Rejected("The script cannot be read.", problems=[problem])
    return None
