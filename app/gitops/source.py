"""A local repository, followed on one branch and path, read without ever running git inside it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.domain.errors import NotFound, Rejected, Stalled
from app.domain.plans import DesiredState
from app.domain.revisions import CommitSha, TreeSha, is_commit_sha
from app.domain.signers import Signer
from app.domain.toml_documents import printable
from app.gitops.commits import parents_of, parse_tag
from app.gitops.contents import MAX_COMMIT_BYTES, Contents
from app.gitops.formats.choice import FormatSettings
from app.gitops.layout import locate
from app.gitops.mirror import Mirror
from app.gitops.objects import MissingObject, Objects, Oversized
from app.gitops.refs import has_branches, is_ref_name, read_head, read_ref
from app.gitops.signatures.policy import SignatureCheck

READ_SECONDS = 120.0
"""Longest that reading a revision may take; 10,000 hooks take about three seconds."""
LOOKUP_SECONDS = 20.0

_SHORTENED = re.compile(r"[0-9a-f]{4,40}\Z")
_MAX_TAGS_OF_TAGS = 5


class LocalRepository:
    """Implements ``SourceRepository`` for a repository in the file system.

    Blocking. ``tip`` only reads files and may be called at any time from any thread; the others
    share git processes and wait for each other.
    """

    def __init__(
        self,
        location: Path,
        branch: str,
        path: str,
        mirror_dir: Path,
        signatures: SignatureCheck | None = None,
        formats: FormatSettings = FormatSettings(),  # noqa: B008 (frozen)
    ) -> None:
        """Follow ``branch`` (short or full name) of the repository at ``location``.

        ``path`` is the folder in it that holds ``hooks``; empty for the root. ``mirror_dir`` is
        made when needed; without ``signatures`` none is demanded. Raises ``Rejected`` for a branch
        or a path that cannot be; touches no files.
        """
        self._location = location.absolute()
        self._branch = branch.removeprefix("refs/heads/")
        self._path = _checked_path(path)
        if not is_ref_name(f"refs/heads/{self._branch}") or self._branch.startswith("-"):
            raise Rejected(f"`{printable(branch)}` is no name of a branch (HOOKLEDGER_BRANCH).")
        self._mirror = Mirror(mirror_dir.absolute())
        self._objects = Objects(self._mirror.directory)
        self._contents = Contents(self._objects, self._path, formats)
        self._signatures = signatures
        self._lock = threading.Lock()

    def tip(self) -> CommitSha:
        """Resolve the followed branch now; about 20 microseconds.

        Raises ``Stalled`` when branch or repository are gone, ``Transient`` if that may pass.
        """
        layout = locate(self._location)
        commit = read_ref(layout, f"refs/heads/{self._branch}")
        if commit is None:
            if has_branches(layout):
                why = "it was deleted or never pushed; create it, or set HOOKLEDGER_BRANCH"
            else:
                why = "it has no commits yet; make the first one"
            raise Stalled(f"The repository {self._location} has no branch `{self._branch}`: {why}.")
        return CommitSha(commit)

    def resolve(self, ref: str) -> CommitSha:
        """Resolve a branch, tag, ``HEAD`` or (shortened) commit id, in that order.

        Raises ``NotFound`` for anything else, whatever it looks like.
        """
        with self._reading(LOOKUP_SECONDS):
            if not is_commit_sha(ref):
                layout = locate(self._location)
                for name in _full_names(ref):
                    if (sha := read_ref(layout, name)) is not None:
                        return self._peel(ref, sha)
            if _SHORTENED.match(ref):
                found = self._objects.header(f"{ref}^{{commit}}")
                if found is not None:
                    return CommitSha(found.sha)
        raise NotFound(
            f"`{printable(ref)}` is no branch, tag or commit of {self._location}, or it is the "
            "beginning of several."
        )

    def verify(self, commit: CommitSha, since: CommitSha | None) -> Signer | None:
        """Return who signed ``commit``, or None if the policy demands no signature.

        ``since`` is the commit that was verified last. Raises ``Rejected`` naming every commit that
        fails the policy, ``Stalled`` when keys or objects cannot be read.
        """
        if self._signatures is None:
            return None
        with self._reading(READ_SECONDS):
            return self._signatures.verify(self._objects, commit, since)

    def desired(self, commit: CommitSha, since: TreeSha | None) -> DesiredState:
        """Read what ``commit`` says, or only what differs from the subtree ``since``.

        Raises ``Rejected`` with every problem of every file, ``Stalled`` when the repository lacks
        objects or they are damaged, ``Transient`` when git did not answer in time.
        """
        if not is_commit_sha(commit):
            raise NotFound(f"`{printable(commit)}` is no full commit id.")
        with self._reading(READ_SECONDS):
            try:
                return self._contents.read(commit, since)
            except MissingObject:
                # The repository may have been replaced by another at the same place.
                self._objects.close()
                return self._contents.read(commit, since)

    def is_ancestor(self, old: CommitSha, new: CommitSha) -> bool:
        """Tell whether ``new`` came after ``old``; if not, the branch was rewritten.

        3 ms, or a fraction of that for the child of ``old``, which most new commits are.

        Raises ``Stalled`` when the history is cut (a shallow clone, or ``old`` is gone).
        """
        for commit in (old, new):
            if not is_commit_sha(commit):
                raise NotFound(f"`{printable(commit)}` is no full commit id.")
        with self._reading(LOOKUP_SECONDS):
            return self._is_parent(old, new) or self._objects.is_ancestor(old, new)

    @property
    def refs(self) -> Path:
        """The directory below which every change of a branch shows, for a watcher.

        Raises ``Stalled`` if there is no repository.
        """
        return locate(self._location).refs

    def close(self) -> None:
        """End the git processes; a later call would start new ones."""
        with self._lock:
            self._objects.close()

    @contextmanager
    def _reading(self, seconds: float) -> Iterator[None]:
        with self._lock:
            if self._mirror.borrow(locate(self._location).objects):
                self._objects.close()
            with self._objects.deadline(seconds):
                yield

    def _is_parent(self, old: CommitSha, new: CommitSha) -> bool:
        data = self._objects.read(new, "commit", MAX_COMMIT_BYTES)
        return not isinstance(data, Oversized) and old in parents_of(data)

    def _peel(self, ref: str, sha: str) -> CommitSha:
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


def current_branch(location: Path) -> str:
    """Return the short name of the branch that is checked out at ``location``.

    Raises ``Stalled`` if no branch is: the commit that HEAD names then belongs to none.
    """
    target = read_head(locate(location))
    if target is None:
        raise Stalled(
            f"{location} is not on a branch (its HEAD is detached); check one out, or set "
            "HOOKLEDGER_BRANCH to the branch to follow."
        )
    return target


def _full_names(ref: str) -> Iterator[str]:
    if ref == "HEAD":
        yield ref
    elif is_ref_name(ref):
        names = [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/remotes/{ref}"]
        yield from [ref] if ref.startswith("refs/") else names


def _checked_path(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or path.startswith("/") or "\0" in path:
        raise Rejected(
            f"`{printable(path)}` is no folder of a repository (HOOKLEDGER_REPO_PATH); write it "
            "relative to the repository's root."
        )
    return "/".join(parts)
