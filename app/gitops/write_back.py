"""Writing to a source: a commit is made where only the server sees it, then published."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Protocol

from app.domain.errors import NotFound, Rejected, Stalled
from app.domain.revisions import CommitSha
from app.gitops.commits import parse_commit
from app.gitops.comparison import MAX_TREE_BYTES
from app.gitops.contents import MAX_COMMIT_BYTES
from app.gitops.new_commits import NewCommit, Person, Sign, new_commit, store
from app.gitops.objects import Kind, Objects, Oversized
from app.gitops.trees import Entry, EntryKind, parse_tree

_SECONDS = 20.0
_MAX_DEPTH = 3
"""A hook's folder, its fixtures, and one more."""
_MAX_ENTRIES = 500
_MAX_FILE_BYTES = 1024 * 1024


class Branch(Protocol):
    """Where commits are published."""

    def advance(self, commit: NewCommit) -> None:
        """Move the branch from the commit's parent to it; raise ``Conflict`` if it has moved."""
        ...


class WriteBack:
    """Implements ``SourceWriter`` for a repository that has a mirror. Blocking."""

    def __init__(
        self,
        mirror_dir: Path,
        branch: Branch,
        committer: Person,
        clock: Callable[[], datetime],
        sign: Sign | None = None,
    ) -> None:
        self._mirror_dir = mirror_dir
        self._branch = branch
        self._committer = committer
        self._clock = clock
        self._sign = sign

    def read(self, commit: CommitSha, folder: str) -> Mapping[str, bytes]:
        """Return the files below a folder, by their paths from the repository's root.

        Submodules and symbolic links are left out. Raises ``NotFound`` when there is no such
        folder, ``Rejected`` when it holds too much.
        """
        with closing(Objects(self._mirror_dir)) as objects, objects.deadline(_SECONDS):
            tree = parse_commit(commit, _read(objects, commit, "commit", MAX_COMMIT_BYTES)).tree
            for name in folder.split("/"):
                entry = next((e for e in _entries(objects, tree) if e.name == name), None)
                if entry is None or entry.kind is not EntryKind.FOLDER:
                    raise NotFound(f"Commit {commit[:12]} has no folder `{folder}`.")
                tree = entry.sha
            shas = dict(_files(objects, tree, folder, _MAX_DEPTH))
            contents = objects.read_many(set(shas.values()), "blob", _MAX_FILE_BYTES)
        return {
            path: content
            for path, sha in shas.items()
            if not isinstance(content := contents[sha], Oversized)
        }

    def prepare(
        self,
        base: CommitSha,
        files: Mapping[str, bytes | None],
        *,
        author: str,
        email: str,
        message: str,
    ) -> NewCommit:
        """Make a commit on ``base`` in the mirror; paths are from the repository's root.

        The source's reader can read it from here on, and nobody else. Raises ``Rejected`` when it
        would change nothing, ``Stalled`` when the repository lacks objects.
        """
        with closing(Objects(self._mirror_dir)) as objects, objects.deadline(_SECONDS):
            before = parse_commit(base, _read(objects, base, "commit", MAX_COMMIT_BYTES)).tree
            made = new_commit(
                base,
                before,
                files,
                lambda sha: _read(objects, sha, "tree", MAX_TREE_BYTES),
                author=Person(author, email),
                committer=self._committer,
                message=message,
                at=self._clock(),
                sign=self._sign,
            )
        if made.tree == before:
            raise Rejected("Nothing would change: the files are as they are in the repository.")
        store(made.objects, self._mirror_dir / "objects")
        return made

    def publish(self, commit: NewCommit) -> None:
        """Move the source's branch to the commit, fast-forward only.

        Raises ``Conflict`` when the branch has moved since, ``Stalled`` or ``Transient`` when the
        source cannot be written.
        """
        self._branch.advance(commit)


def _entries(objects: Objects, tree: str) -> Sequence[Entry]:
    return parse_tree(_read(objects, tree, "tree", MAX_TREE_BYTES))


def _files(objects: Objects, tree: str, folder: str, depth: int) -> Iterator[tuple[str, str]]:
    entries = _entries(objects, tree)
    if len(entries) > _MAX_ENTRIES:
        raise Rejected(f"`{folder}` has {len(entries)} entries; {_MAX_ENTRIES} are the most.")
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if entry.kind is EntryKind.FILE:
            yield path, entry.sha
        elif entry.kind is EntryKind.FOLDER and depth > 1:
            yield from _files(objects, entry.sha, path, depth - 1)


def _read(objects: Objects, sha: str, kind: Kind, limit: int) -> bytes:
    content = objects.read(sha, kind, limit)
    if isinstance(content, Oversized):
        raise Stalled(f"Object {sha} is {content.size} bytes; it cannot be written to.")
    return content
