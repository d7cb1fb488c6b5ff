"""What the use cases need of a followed repository; ``app.gitops`` implements these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from app.domain.plans.plan import DesiredState
from app.domain.revisions import CommitSha, TreeSha
from app.domain.signers import Signer


class SourceRepository(Protocol):
    """A git repository followed on one branch and path. Blocking: call it from a thread."""

    def tip(self) -> CommitSha:
        """Resolve the followed branch now.

        Raises ``Stalled`` when branch or repository are gone, ``Transient`` if that may pass.
        """
        ...

    def resolve(self, ref: str) -> CommitSha:
        """Resolve a branch, tag or (shortened) commit id; raise ``NotFound``."""
        ...

    def verify(self, commit: CommitSha, since: CommitSha | None) -> Signer | None:
        """Return who signed ``commit``, or None if nobody need have.

        ``since`` is the commit that was verified last. Raises ``Rejected`` naming every commit that
        is not signed as the policy demands.
        """
        ...

    def desired(self, commit: CommitSha, since: TreeSha | None) -> DesiredState:
        """Read what ``commit`` says, or only what differs from the subtree ``since``.

        Raises ``Rejected`` with every problem of every file.
        """
        ...

    def is_ancestor(self, old: CommitSha, new: CommitSha) -> bool:
        """Tell whether ``new`` came after ``old``; raise ``Stalled`` when history is cut."""
        ...


class PreparedCommit(Protocol):
    """A commit that the server alone can see."""

    @property
    def sha(self) -> CommitSha: ...


class SourceWriter(Protocol):
    """Writes commits to a followed branch. Blocking: call it from a thread."""

    def read(self, commit: CommitSha, folder: str) -> Mapping[str, bytes]:
        """Return the files below a folder; all paths are from the repository's root.

        Raises ``NotFound`` when there is no such folder.
        """
        ...

    def prepare(
        self,
        base: CommitSha,
        files: Mapping[str, bytes | None],
        *,
        author: str,
        email: str,
        message: str,
    ) -> PreparedCommit:
        """Make a commit on ``base`` that the source's repository can read, and nobody else.

        Paths are from the repository's root; None removes a file. Raises ``Rejected`` when nothing
        would change.
        """
        ...

    def publish(self, commit: Any) -> None:
        """Move the branch to a prepared commit, fast-forward only.

        Raises ``Conflict`` when it has moved since, ``Stalled`` or ``Transient`` when it cannot be
        written.
        """
        ...
