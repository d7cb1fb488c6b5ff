"""Commits read from an own repository: by one thread at a time, and each within a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.domain.documents.toml_documents import printable
from app.domain.errors import NotFound, Rejected
from app.domain.plans.plan import DesiredState
from app.domain.revisions import CommitSha, TreeSha, is_commit_sha
from app.domain.signers import Signer
from app.gitops.commits import parents_of, parse_tag
from app.gitops.contents import MAX_COMMIT_BYTES, Contents
from app.gitops.formats.choice import FormatSettings
from app.gitops.objects import MissingObject, Objects, Oversized
from app.gitops.refs import is_ref_name
from app.gitops.signatures.policy import SignatureCheck

READ_SECONDS = 120.0
"""Longest that reading a revision may take; 10,000 hooks take about three seconds."""
LOOKUP_SECONDS = 20.0

_MAX_TAGS_OF_TAGS = 5


class CommitReader:
    """Reads what commits say. Blocking; threads wait for each other."""

    def __init__(
        self,
        mirror_dir: Path,
        path: str,
        prepare: Callable[[], bool],
        *,
        signatures: SignatureCheck | None = None,
        formats: FormatSettings = FormatSettings(),  # noqa: B008 (frozen)
    ) -> None:
        """Read from the repository ``mirror_dir``, whose folder ``path`` holds ``hooks``.

        ``prepare`` is called before each reading, and tells whether the objects are other ones now.
        """
        self._objects = Objects(mirror_dir)
        self._contents = Contents(self._objects, path, formats)
        self._signatures = signatures
        self._prepare = prepare
        self._lock = threading.Lock()

    def desired(self, commit: CommitSha, since: TreeSha | None) -> DesiredState:
        """Read what ``commit`` says, or only what differs from the subtree ``since``.

        Raises ``Rejected`` with every problem of every file, ``Stalled`` when the repository lacks
        objects or they are damaged, ``Transient`` when git did not answer in time.
        """
        _check(commit)
        with self._reading(READ_SECONDS):
            try:
                return self._contents.read(commit, since)
            except MissingObject:
                # The repository may have been replaced by another at the same place.
                self._objects.close()
                return self._contents.read(commit, since)

    def verify(self, commit: CommitSha, since: CommitSha | None) -> Signer | None:
        """Return who signed ``commit``, or None if the policy demands no signature.

        ``since`` is the commit that was verified last. Raises ``Rejected`` naming every commit that
        fails the policy, ``Stalled`` when keys or objects cannot be read.
        """
        if self._signatures is None:
            return None
        with self._reading(READ_SECONDS):
            return self._signatures.verify(self._objects, commit, since)

    def is_ancestor(self, old: CommitSha, new: CommitSha) -> bool:
        """Tell whether ``new`` came after ``old``; if not, the branch was rewritten.

        3 ms, or a fraction of that for the child of ``old``, which most new commits are.

        Raises ``Stalled`` when the history is cut (a shallow clone, or ``old`` is gone).
        """
        _check(old)
        _check(new)
        with self._reading(LOOKUP_SECONDS):
            return self._is_parent(old, new) or self._objects.is_ancestor(old, new)

    def find_commit(self, shortened: str) -> CommitSha | None:
        """Look up a commit by (the beginning of) its id; None if unknown or ambiguous."""
        with self._reading(LOOKUP_SECONDS):
            found = self._objects.header(f"{shortened}^{{commit}}")
        return CommitSha(found.sha) if found is not None else None

    def peel(self, ref: str, sha: str) -> CommitSha:
        """Follow tags from object ``sha``, which ``ref`` names, to a commit; raise ``NotFound``."""
        with self._reading(LOOKUP_SECONDS):
            for _ in range(_MAX_TAGS_OF_TAGS):
                found = self._objects.header(sha)
                if found is None:
                    raise MissingObject(f"The repository lacks object {sha} that `{ref}` names.")
                if found.kind == "commit":
                    return CommitSha(found.sha)
                if found.kind != "tag":
                    break
                data = self._objects.read(sha, "tag", MAX_COMMIT_BYTES)
                if isinstance(data, Oversized):
                    break
                sha = parse_tag(sha, data).sha
        raise NotFound(f"`{printable(ref)}` does not name a commit.")

    def close(self) -> None:
        """End the git processes; a later call would start new ones."""
        with self._lock:
            self._objects.close()

    def _is_parent(self, old: CommitSha, new: CommitSha) -> bool:
        data = self._objects.read(new, "commit", MAX_COMMIT_BYTES)
        return not isinstance(data, Oversized) and old in parents_of(data)

    @contextmanager
    def _reading(self, seconds: float) -> Iterator[None]:
        with self._lock:
            if self._prepare():
                self._objects.close()
            with self._objects.deadline(seconds):
                yield


def checked_branch(branch: str) -> str:
    """Return the short name of a branch; raise ``Rejected`` for what cannot be one."""
    short = branch.removeprefix("refs/heads/")
    if not is_ref_name(f"refs/heads/{short}") or short.startswith("-"):
        raise Rejected(f"`{printable(branch)}` is no name of a branch (HOOKLEDGER_BRANCH).")
    return short


def checked_path(path: str) -> str:
    """Return a folder of a repository, without slashes at its ends; raise ``Rejected``."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or path.startswith("/") or "\0" in path:
        raise Rejected(
            f"`{printable(path)}` is no folder of a repository (HOOKLEDGER_REPO_PATH); write it "
            "relative to the repository's root."
        )
    return "/".join(parts)


def _check(commit: str) -> None:
    if not is_commit_sha(commit):
        raise NotFound(f"`{printable(commit)}` is no full commit id.")
