"""Writing to a source: a commit is made where only the server sees it, then published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Protocol

from app.domain.errors import Rejected, Stalled
from app.domain.revisions import CommitSha
from app.gitops.commits import parse_commit
from app.gitops.comparison import MAX_TREE_BYTES
from app.gitops.contents import MAX_COMMIT_BYTES
from app.gitops.new_commits import NewCommit, Person, new_commit, store
from app.gitops.objects import Kind, Objects, Oversized

_SECONDS = 20.0


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
    ) -> None:
        self._mirror_dir = mirror_dir
        self._branch = branch
        self._committer = committer
        self._clock = clock

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


def _read(objects: Objects, sha: str, kind: Kind, limit: int) -> bytes:
    content = objects.read(sha, kind, limit)
    if isinstance(content, Oversized):
        raise Stalled(f"Object {sha} is {content.size} bytes; it cannot be written to.")
    return content
