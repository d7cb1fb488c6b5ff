"""A local repository, followed on one branch and path, read without ever running git inside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from app.domain.documents.toml_documents import printable
from app.domain.errors import NotFound, Stalled
from app.domain.plans.plan import DesiredState
from app.domain.revisions import CommitSha, TreeSha, is_commit_sha
from app.domain.signers import Signer
from app.gitops.formats.choice import FormatSettings
from app.gitops.layout import locate
from app.gitops.mirror import Mirror
from app.gitops.reading import CommitReader, checked_branch, checked_path
from app.gitops.refs import has_branches, is_ref_name, read_head, read_ref
from app.gitops.signatures.policy import SignatureCheck

_SHORTENED = re.compile(r"[0-9a-f]{4,40}\Z")


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
        self._branch = checked_branch(branch)
        self._mirror = Mirror(mirror_dir.absolute())
        self._reader = CommitReader(
            self._mirror.directory,
            checked_path(path),
            self._borrow,
            signatures=signatures,
            formats=formats,
        )

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

    def refresh(self) -> CommitSha:
        """Resolve the followed branch; of a local repository there is nothing to fetch."""
        return self.tip()

    def resolve(self, ref: str) -> CommitSha:
        """Resolve a branch, tag, ``HEAD`` or (shortened) commit id, in that order.

        Raises ``NotFound`` for anything else, whatever it looks like.
        """
        if not is_commit_sha(ref):
            layout = locate(self._location)
            for name in _full_names(ref):
                if (sha := read_ref(layout, name)) is not None:
                    return self._reader.peel(ref, sha)
        if _SHORTENED.match(ref) and (found := self._reader.find_commit(ref)) is not None:
            return found
        raise NotFound(
            f"`{printable(ref)}` is no branch, tag or commit of {self._location}, or it is the "
            "beginning of several."
        )

    def verify(self, commit: CommitSha, since: CommitSha | None) -> Signer | None:
        """Return who signed ``commit``, or None if the policy demands no signature.

        ``since`` is the commit that was verified last. Raises ``Rejected`` naming every commit that
        fails the policy, ``Stalled`` when keys or objects cannot be read.
        """
        return self._reader.verify(commit, since)

    def desired(self, commit: CommitSha, since: TreeSha | None) -> DesiredState:
        """Read what ``commit`` says, or only what differs from the subtree ``since``."""
        return self._reader.desired(commit, since)

    def is_ancestor(self, old: CommitSha, new: CommitSha) -> bool:
        """Tell whether ``new`` came after ``old``; if not, the branch was rewritten.

        3 ms, or a fraction of that for the child of ``old``, which most new commits are.

        Raises ``Stalled`` when the history is cut (a shallow clone, or ``old`` is gone).
        """
        return self._reader.is_ancestor(old, new)

    @property
    def refs(self) -> Path:
        """The directory below which every change of a branch shows, for a watcher.

        Raises ``Stalled`` if there is no repository.
        """
        return locate(self._location).refs

    def close(self) -> None:
        """End the git processes; a later call would start new ones."""
        self._reader.close()

    def _borrow(self) -> bool:
        return self._mirror.borrow(locate(self._location).objects)


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
