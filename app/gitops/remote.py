"""A repository elsewhere, followed on one branch and path through a mirror that is fetched."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Sequence
from pathlib import Path

from app.domain.documents.toml_documents import printable
from app.domain.errors import NotFound, Stalled
from app.domain.plans.plan import DesiredState
from app.domain.revisions import CommitSha, TreeSha, is_commit_sha
from app.domain.signers import Signer
from app.gitops.access import ASKPASS, Credentials, access, secrets_of
from app.gitops.addresses import Address
from app.gitops.environment import git_command
from app.gitops.fetching import DamagedMirror, Fetching, FetchLimits, NoSuchRef
from app.gitops.formats.choice import FormatSettings
from app.gitops.layout import Layout
from app.gitops.mirror import Mirror
from app.gitops.new_commits import NewCommit
from app.gitops.objects import DamagedObject, MissingObject
from app.gitops.reading import CommitReader, checked_branch, checked_path
from app.gitops.refs import is_ref_name, read_ref
from app.gitops.signatures.policy import SignatureCheck

_log = logging.getLogger("hookledger.gitops")

_TIP = "refs/sync/tip"
_ASKED = "refs/sync/asked"
_SHORTENED = re.compile(r"[0-9a-f]{4,40}\Z")
_END_SECONDS = 5.0
_MOST_PACKS = 50
"""Each fetch leaves a pack, and each pack is one more place to look for an object."""


class RemoteRepository:
    """Implements ``SourceRepository`` for a repository that is fetched over ssh or https.

    Blocking. Fetches wait for each other, and so do readings; neither waits for the other.
    """

    def __init__(
        self,
        address: Address,
        branch: str,
        path: str,
        mirror_dir: Path,
        credentials: Credentials,
        limits: FetchLimits,
        *,
        signatures: SignatureCheck | None = None,
        formats: FormatSettings = FormatSettings(),  # noqa: B008 (frozen)
    ) -> None:
        """Follow ``branch`` (short or full name) of the repository at ``address``.

        ``path`` is the folder in it that holds ``hooks``; empty for the root. ``mirror_dir`` is
        made when needed. Raises ``Rejected`` for a branch or a path that cannot be.
        """
        self._address = address
        self._branch = checked_branch(branch)
        self._credentials = credentials
        self._mirror = Mirror(mirror_dir.absolute())
        self._reader = CommitReader(
            self._mirror.directory,
            checked_path(path),
            self._prepare,
            signatures=signatures,
            formats=formats,
        )
        self._fetching = Fetching(limits)
        self._lock = threading.Lock()
        self._tip: CommitSha | None = None
        self._renewed = False

    def refresh(self) -> CommitSha:
        """Fetch the followed branch, and return where it points now.

        Raises ``Stalled`` when a person must act (branch or repository are gone, credentials are
        refused), ``Transient`` for what may pass.
        """
        with self._lock:
            try:
                self._tip = CommitSha(self._fetch(f"refs/heads/{self._branch}", _TIP))
            except NoSuchRef as error:
                raise NoSuchRef(
                    f"The repository {self._address.url} has no branch `{self._branch}`: it was "
                    "deleted or never pushed; create it, or change `branch` of the source. What "
                    "was applied stays in force."
                ) from error
            return self._tip

    def tip(self) -> CommitSha:
        """Return where the branch pointed at the last ``refresh``, which the first call does."""
        return self._tip or self.refresh()

    def resolve(self, ref: str) -> CommitSha:
        """Resolve a branch, a tag or a (shortened) commit id; what is not there is fetched.

        Raises ``NotFound`` for anything else, and whatever ``refresh`` raises.
        """
        if _SHORTENED.match(ref):
            self.tip()
            if (found := self._reader.find_commit(ref)) is not None:
                return found
        if not is_commit_sha(ref):
            for name in _full_names(ref):
                try:
                    with self._lock:
                        sha = self._fetch(name, _ASKED)
                except NoSuchRef:
                    continue
                return self._reader.peel(ref, sha)
        raise NotFound(
            f"`{printable(ref)}` is no branch or tag of {self._address.url}, and no commit of "
            f"`{self._branch}`, or it is the beginning of several."
        )

    def verify(self, commit: CommitSha, since: CommitSha | None) -> Signer | None:
        """Return who signed ``commit``; as ``LocalRepository.verify``."""
        return self._reader.verify(commit, since)

    def desired(self, commit: CommitSha, since: TreeSha | None) -> DesiredState:
        """Read what ``commit`` says, or only what differs from the subtree ``since``.

        A damaged mirror is set aside and fetched again, once. Raises ``Rejected`` with every
        problem of every file, ``Stalled`` or ``Transient`` when it cannot be read or fetched.
        """
        try:
            return self._reader.desired(commit, since)
        except (DamagedObject, MissingObject) as error:
            with self._lock:
                self._replace_mirror(error)
            self.refresh()
            return self._reader.desired(commit, since)

    def is_ancestor(self, old: CommitSha, new: CommitSha) -> bool:
        """Tell whether ``new`` came after ``old``; if not, the branch was rewritten. 3 ms.

        Raises ``Stalled`` when the history is cut (``old`` is gone).
        """
        return self._reader.is_ancestor(old, new)

    def advance(self, commit: NewCommit) -> None:
        """Push a commit of the mirror's: the branch moves from its parent to it, or not at all.

        Raises ``Conflict`` when the branch has moved, ``Stalled`` when the repository refuses it,
        ``Transient`` for what may pass.
        """
        branch = f"refs/heads/{self._branch}"
        with self._lock:
            self._run(
                "push",
                "--quiet",
                "--no-verify",
                "--no-follow-tags",
                "--no-signed",
                "--recurse-submodules=no",
                f"--force-with-lease={branch}:{commit.base}",
                "--",
                self._address.url,
                f"{commit.sha}:{branch}",
                askpass=self._mirror.keep("askpass", ASKPASS),
            )
            self._tip = commit.sha

    def interrupt(self) -> None:
        """End a fetch that runs, and refuse new ones; from any thread."""
        self._fetching.stop()

    def close(self) -> None:
        """End every git process; a fetch that runs ends within a moment."""
        self._fetching.stop()
        if self._lock.acquire(timeout=_END_SECONDS):
            self._lock.release()
        self._reader.close()

    def _fetch(self, name: str, into: str) -> str:
        """Fetch one ref, whatever was under ``into`` before; return the object's id."""
        try:
            return self._fetch_once(name, into)
        except DamagedMirror as error:
            self._replace_mirror(error)
            return self._fetch_once(name, into)

    def _fetch_once(self, name: str, into: str) -> str:
        askpass = self._mirror.keep("askpass", ASKPASS)
        self._mirror.remove_abandoned()
        self._run(
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-show-forced-updates",
            "--",
            self._address.url,
            f"+{name}:{into}",
            askpass=askpass,
        )
        if len(list((self._mirror.directory / "objects/pack").glob("*.pack"))) > _MOST_PACKS:
            self._run("repack", "-a", "-d", "-q", askpass=askpass)
            self._renewed = True
        sha = read_ref(Layout(self._mirror.directory, self._mirror.directory), into)
        if sha is None:
            raise Stalled(f"git fetched {name} of {self._address.url}, but left nothing behind.")
        return sha

    def _run(self, *arguments: str, askpass: Path) -> None:
        allowed = access(self._address, self._credentials, askpass)
        settings = {"fetch.fsckObjects": "true", "fetch.unpackLimit": "1", **allowed.settings}
        command: Sequence[str] = git_command(
            self._mirror.directory, arguments, allowed.variables, settings
        )
        self._fetching.run(command, tuple(secrets_of(self._address, self._credentials)))

    def _replace_mirror(self, error: Exception) -> None:
        aside = self._mirror.set_aside()
        self._renewed = True
        self._tip = None
        _log.warning("mirror_damaged", extra={"moved_to": str(aside), "reason": str(error)})

    def _prepare(self) -> bool:
        renewed, self._renewed = self._renewed, False
        return renewed


def _full_names(ref: str) -> tuple[str, ...]:
    if not is_ref_name(ref) or ref.startswith("-"):
        return ()
    return (ref,) if ref.startswith("refs/") else (f"refs/heads/{ref}", f"refs/tags/{ref}")
