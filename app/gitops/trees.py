"""Tree objects: what a folder holds, and which names and kinds of entry are refused.

Git passes on trees that no file system could hold safely (``..``, ``.git``, two entries of one
name). Nothing is ever checked out here, but a refused name now is an escape avoided later, when
somebody clones the same repository or a fixture is read by its path.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.domain.documents.toml_documents import printable

_ENTRY = re.compile(rb"([0-7]{5,6}) ([^\0]+)\0(.{20})", re.DOTALL)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*\Z")
_MAX_NAME_BYTES = 255
_GIT_DIRECTORIES = (".git", "git~1")
"""The second is what Windows calls the first when it wants a short name."""
_IGNORED_ON_MACOS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


class EntryKind(enum.Enum):
    """What an entry of a tree is."""

    FOLDER = "folder"
    FILE = "file"
    SYMLINK = "symbolic link"
    SUBMODULE = "submodule"
    UNKNOWN = "entry of an unknown kind"


_KINDS = {
    b"40000": EntryKind.FOLDER,
    b"040000": EntryKind.FOLDER,
    b"100644": EntryKind.FILE,
    b"100755": EntryKind.FILE,
    b"100664": EntryKind.FILE,
    b"120000": EntryKind.SYMLINK,
    b"160000": EntryKind.SUBMODULE,
}
_FOLLOWED = (EntryKind.FOLDER, EntryKind.FILE)


class Entry(NamedTuple):
    """One line of a folder; a tuple, as a walk makes tens of thousands."""

    name: str
    """Bytes that are not UTF-8 stand as surrogates; such a name is refused."""
    kind: EntryKind
    sha: str


class MalformedTree(ValueError):
    """The bytes are not a tree."""


def parse_tree(data: bytes) -> tuple[Entry, ...]:
    """Split a tree object into its entries; raise ``MalformedTree``."""
    entries = []
    end = 0
    for match in _ENTRY.finditer(data):
        if match.start() != end:
            break
        end = match.end()
        mode, name, sha = match.groups()
        entries.append(
            Entry(
                name.decode("utf-8", "surrogateescape"),
                _KINDS.get(mode, EntryKind.UNKNOWN),
                sha.hex(),
            )
        )
    if end != len(data):
        raise MalformedTree
    return tuple(entries)


def wrong_with(entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Yield the printable name of each entry that is refused, and why."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        name = entry.name
        if (message := _wrong_with_name(name)) is not None:
            yield printable(name), message
        elif entry.kind not in _FOLLOWED:
            kind = entry.kind.value
            yield printable(name), f"is a {kind}, which is not followed; commit plain files instead"
        other = seen.setdefault(_folded(name), entry)
        if other is entry:
            continue
        if other.name == name:
            yield printable(name), "stands twice in its folder"
        elif EntryKind.FOLDER in (other.kind, entry.kind):
            yield (
                printable(name),
                f"differs from `{printable(other.name)}` only by upper and lower case",
            )


def _wrong_with_name(name: str) -> str | None:
    if len(name) <= _MAX_NAME_BYTES and _PLAIN_NAME.match(name):
        return None
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    visible = _IGNORED_ON_MACOS.sub("", name)
    wrong = None
    if length > _MAX_NAME_BYTES:
        wrong = f"has a name of more than {_MAX_NAME_BYTES} bytes"
    elif any(unicodedata.category(character) == "Cc" for character in name):
        wrong = "has control characters in its name"
    elif visible in (".", "..") or "/" in name or "\\" in name:
        wrong = "has a name that leads out of its folder"
    elif visible.partition(":")[0].rstrip(" .").casefold() in _GIT_DIRECTORIES:
        wrong = "has a name that some systems take for git's own directory"
    return wrong


def _folded(name: str) -> str:
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()
