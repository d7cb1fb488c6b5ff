"""Commits that are made here: which objects they consist of, and how those are stored.

Objects are built and stored by hand, as loose files: git itself is not needed for it, and so need
not run where somebody else may have configured it.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.domain.errors import Stalled
from app.domain.revisions import CommitSha

_ENTRY = re.compile(rb"([0-7]{5,6}) ([^\0]+)\0(.{20})", re.DOTALL)
_FILE, _FOLDER = b"100644", b"40000"
_FOLDERS = (b"40000", b"040000")

ReadTree = Callable[[str], bytes]
Sign = Callable[[bytes], bytes]
"""Returns the armoured signature of a commit without one."""


@dataclass(frozen=True, slots=True)
class Person:
    """An author or committer, as git names people."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{_plain(self.name) or 'unknown'} <{_plain(self.email)}>"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object and the id that its content gives it."""

    kind: str
    content: bytes

    @property
    def sha(self) -> str:
        return hashlib.sha1(self.raw, usedforsecurity=False).hexdigest()

    @property
    def raw(self) -> bytes:
        return f"{self.kind} {len(self.content)}\0".encode() + self.content


@dataclass(frozen=True, slots=True)
class NewCommit:
    """A commit that no branch names yet."""

    sha: CommitSha
    base: CommitSha
    tree: str
    objects: tuple[StoredObject, ...]


def new_commit(
    base: CommitSha,
    base_tree: str,
    files: Mapping[str, bytes | None],
    read_tree: ReadTree,
    *,
    author: Person,
    committer: Person,
    message: str,
    at: datetime,
    sign: Sign | None = None,
) -> NewCommit:
    """Make a commit on ``base`` that sets each of ``files``; None removes one.

    ``read_tree`` returns the content of a tree by its id. Folders that become empty vanish.
    """
    made: list[StoredObject] = []
    tree = _edited(base_tree, _nested(files), read_tree, made) or _stored("tree", b"", made)
    seconds = f"{int(at.timestamp())} +0000"
    head = (
        f"tree {tree}\nparent {base}\nauthor {author} {seconds}\ncommitter {committer} {seconds}\n"
    ).encode("utf-8", "replace")
    body = f"\n{message.strip()}\n".encode("utf-8", "replace")
    if sign is not None:
        signature = sign(head + body).replace(b"\n", b"\n ")
        head += b"gpgsig " + signature + b"\n"
    sha = _stored("commit", head + body, made)
    return NewCommit(CommitSha(sha), base, tree, tuple(made))


def store(objects: tuple[StoredObject, ...], directory: Path) -> None:
    """Write loose objects below git's object directory; raise ``Stalled`` when that fails.

    What is there already stays, so that it may be repeated.
    """
    try:
        for item in objects:
            sha = item.sha
            file = directory / sha[:2] / sha[2:]
            if file.exists():
                continue
            file.parent.mkdir(exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix="tmp_obj_", dir=file.parent)
            with open(descriptor, "wb") as opened:  # noqa: PTH123 (a descriptor, not a path)
                opened.write(zlib.compress(item.raw, 1))
                opened.flush()
                os.fsync(opened.fileno())
                os.fchmod(opened.fileno(), 0o444)
            Path(temporary).replace(file)
    except OSError as error:
        raise Stalled(f"{directory} cannot be written: {error.strerror}.") from error


def _nested(files: Mapping[str, bytes | None]) -> dict[bytes, object]:
    root: dict[bytes, object] = {}
    for path, content in files.items():
        *folders, name = path.encode().split(b"/")
        inner = root
        for folder in folders:
            inner = inner.setdefault(folder, {})  # type: ignore[assignment]  # folders hold dicts
        inner[name] = content
    return root


def _edited(
    sha: str | None, changes: Mapping[bytes, object], read: ReadTree, made: list[StoredObject]
) -> str | None:
    """Return the id of a folder with ``changes``; None when nothing is left in it."""
    entries = {
        name: (mode, raw)
        for mode, name, raw in (_ENTRY.findall(read(sha)) if sha is not None else ())
    }
    for name, change in changes.items():
        mode, raw = entries.pop(name, (None, b""))
        if isinstance(change, dict):
            inner = _edited(raw.hex() if mode in _FOLDERS else None, change, read, made)
            if inner is not None:
                entries[name] = (_FOLDER, bytes.fromhex(inner))
        elif isinstance(change, bytes):
            # A file that was executable stays so.
            kept = mode if mode is not None and mode.startswith(b"100") else _FILE
            entries[name] = (kept, bytes.fromhex(_stored("blob", change, made)))
    if not entries:
        return None
    ordered = sorted(entries.items(), key=_git_order)
    content = b"".join(mode + b" " + name + b"\0" + raw for name, (mode, raw) in ordered)
    return _stored("tree", content, made)


def _git_order(entry: tuple[bytes, tuple[bytes, bytes]]) -> bytes:
    """Folders sort as if their names ended in a slash."""
    name, (mode, _) = entry
    return name + b"/" if mode in _FOLDERS else name


def _stored(kind: str, content: bytes, made: list[StoredObject]) -> str:
    item = StoredObject(kind, content)
    made.append(item)
    return item.sha


def _plain(text: str) -> str:
    """Drop what would end a name early or forge a header."""
    folded = " ".join(text.replace("\0", " ").split())
    return "".join(c for c in folded if c.isprintable() and c not in "<>")
