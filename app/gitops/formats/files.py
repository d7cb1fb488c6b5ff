"""Files that a format is read from: of a commit, or of a folder on this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from app.domain.documents.toml_documents import printable
from app.domain.errors import Problem, Rejected
from app.domain.manifests.manifest import MANIFEST
from app.gitops.comparison import MAX_TREE_BYTES, compare
from app.gitops.objects import Objects, Oversized
from app.gitops.trees import Entry, EntryKind, MalformedTree, parse_tree, wrong_with

LFS_POINTER = b"version https://git-lfs.github.com/spec/"

_MAX_TOTAL_BYTES = 64 * 1024 * 1024
"""Most that one revision may make us read: a tree can name the same large file often."""


class Files(Protocol):
    """A folder and what is below it; places are written with ``/``, the folder itself is empty."""

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the plain files right in ``folder``, sorted; none if there is no such folder."""
        ...

    def wrong_in(self, folder: str) -> list[Problem]:
        """Return what is wrong with names and kinds of what is right in ``folder``."""
        ...

    def read(self, place: str, limit: int) -> bytes | None:
        """Return a file's content, None if there is none; raise ``Rejected`` if it may not be read.

        ``place`` must be normal: no ``.``, no ``..``, no empty parts.
        """
        ...

    def first_manifest(self, folder: str) -> str | None:
        """Return the place of some ``hook.toml`` at or below ``folder``, if there is one."""
        ...


class CommitFiles:
    """The files below one tree of a repository; nothing is checked out, no link is followed."""

    def __init__(self, objects: Objects, tree: str) -> None:
        self._objects = objects
        self._tree = tree
        self._listed: dict[str, Mapping[str, Entry]] = {}
        self._left = _MAX_TOTAL_BYTES

    def names(self, folder: str) -> tuple[str, ...]:
        entries = self._entries(folder).values()
        return tuple(sorted(entry.name for entry in entries if entry.kind is EntryKind.FILE))

    def wrong_in(self, folder: str) -> list[Problem]:
        return [
            Problem(message, file=f"{folder}/{name}")
            for name, message in wrong_with(tuple(self._entries(folder).values()))
        ]

    def read(self, place: str, limit: int) -> bytes | None:
        folder, _, name = place.rpartition("/")
        entry = self._entries(folder).get(name)
        if entry is None or entry.kind is EntryKind.FOLDER:
            return None
        if entry.kind is not EntryKind.FILE:
            raise _unreadable(place, f"is a {entry.kind.value}, which is not followed")
        blob = self._objects.read(entry.sha, "blob", min(limit, self._left))
        if isinstance(blob, Oversized) and blob.size <= limit:
            most = f"{_MAX_TOTAL_BYTES // (1024 * 1024)} MiB"
            raise _unreadable(place, f"is too much: the files of a commit may have {most} in all")
        if isinstance(blob, Oversized):
            raise _too_large(place, blob.size, limit)
        self._left -= len(blob)
        return _checked(place, blob)

    def first_manifest(self, folder: str) -> str | None:
        entry = self._entries("").get(folder)
        if entry is None or entry.kind is not EntryKind.FOLDER:
            return None
        found = compare(self._objects, folder, None, entry.sha).changed
        return f"{min(found)}/{MANIFEST}" if found else None

    def _entries(self, folder: str) -> Mapping[str, Entry]:
        if folder not in self._listed:
            self._listed[folder] = self._list(folder)
        return self._listed[folder]

    def _list(self, folder: str) -> Mapping[str, Entry]:
        sha = self._tree
        if folder:
            above, _, name = folder.rpartition("/")
            entry = self._entries(above).get(name)
            if entry is None or entry.kind is not EntryKind.FOLDER:
                return {}
            sha = entry.sha
        data = self._objects.read(sha, "tree", MAX_TREE_BYTES)
        if isinstance(data, Oversized):
            message = f"has more entries than fit in {MAX_TREE_BYTES} bytes"
            raise _unreadable(folder or ".", message)
        try:
            return {entry.name: entry for entry in parse_tree(data)}
        except MalformedTree as error:
            message = "is not a folder as git writes them; run `git fsck`"
            raise _unreadable(folder or ".", message) from error


class FolderFiles:
    """The files of a folder on this machine; links are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self, folder: str) -> tuple[str, ...]:
        place = self._root / folder
        if place.is_symlink() or not place.is_dir():
            return ()
        entries = (entry for entry in place.iterdir() if not entry.is_symlink())
        return tuple(sorted(entry.name for entry in entries if entry.is_file()))

    def wrong_in(self, folder: str) -> list[Problem]:
        place = self._root / folder
        links = [e for e in place.iterdir() if e.is_symlink()] if place.is_dir() else []
        message = "is a symbolic link, which is not followed"
        return [Problem(message, file=f"{folder}/{printable(link.name)}") for link in links]

    def read(self, place: str, limit: int) -> bytes | None:
        file = self._root / place
        try:
            if not file.resolve().is_relative_to(self._root.resolve()) or file.is_symlink():
                raise _unreadable(place, "is or goes through a symbolic link; it is not followed")
            descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError, ValueError) as error:
            raise _unreadable(place, f"cannot be read: {error}") from error
        with os.fdopen(descriptor, "rb") as opened:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return None
            if found.st_size > limit:
                raise _too_large(place, found.st_size, limit)
            return _checked(place, opened.read(limit))

    def first_manifest(self, folder: str) -> str | None:
        found = sorted((self._root / folder).rglob(MANIFEST))
        return found[0].relative_to(self._root).as_posix() if found else None


def _checked(place: str, data: bytes) -> bytes:
    if data.startswith(LFS_POINTER):
        raise _unreadable(
            place, "is kept in Git LFS, which is not followed; commit the file itself"
        )
    return data


def _too_large(place: str, size: int, limit: int) -> Rejected:
    return _unreadable(place, f"is {size} bytes; no such file may have more than {limit}")


def _unreadable(place: str, message: str) -> Rejected:
    return Rejected(f"{place} cannot be read.", problems=[Problem(message, file=place)])
