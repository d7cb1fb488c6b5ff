"""Which commits must be signed, by whom, and the check that they are.

Trust comes from files that the operator configured, read anew for each check, so that a revocation
counts from the next commit on. Neither the repository's files nor its configuration are asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from app.application.ports import Clock
from app.domain.documents.toml_documents import printable
from app.domain.errors import Problem, Rejected, Stalled
from app.domain.revisions import CommitSha
from app.domain.signers import Signer, VerifyMode
from app.gitops.contents import MAX_COMMIT_BYTES
from app.gitops.objects import Objects, Oversized
from app.gitops.signatures import gpg, sshsig
from app.gitops.signatures.allowed_signers import (
    AllowedSigner,
    read_allowed_signers,
    read_revoked,
)
from app.gitops.signatures.signed_commits import (
    SignedCommit,
    Unverifiable,
    first_parent,
    read_signed,
)
from app.gitops.signatures.ssh_keys import fingerprint

MAX_RANGE = 2_000
"""Commits checked at once; a GPG signature takes about 5 ms."""
_MAX_PROBLEMS = 50
_HOW = (
    "sign it with a key that the server was given (`git commit --amend -S`; "
    "HOOKLEDGER_ALLOWED_SIGNERS, HOOKLEDGER_GPG_KEYS)"
)


@dataclass(frozen=True, slots=True)
class TrustRoots:
    """What the operator says about keys."""

    allowed_signers: Path | None = None
    revoked_signers: Path | None = None
    """SSH keys that count no longer, even if they are allowed."""
    gpg_keys: tuple[Path, ...] = ()
    gpg_fingerprints: frozenset[str] = frozenset()
    """Of primary keys; what is in ``gpg_keys`` but not here is not trusted."""
    signer_is_committer: bool = True
    """Whether the key must belong to the address that the commit names as its committer."""


class SignatureCheck:
    """The policy of one server."""

    def __init__(self, mode: VerifyMode, roots: TrustRoots, clock: Clock) -> None:
        """Read every file once; raise ``Stalled`` if they could not vouch for anybody."""
        self._mode = mode
        self._roots = roots
        self._clock = clock
        if mode != "none":
            self._require_roots()

    def verify(self, objects: Objects, commit: CommitSha, since: CommitSha | None) -> Signer | None:
        """Return who signed ``commit``; None if nobody need have.

        ``since`` is the commit that was verified last; with the mode "range" all first parents from
        there on are checked. Raises ``Rejected`` naming each commit that fails, ``Stalled`` if the
        configured files cannot be read.
        """
        if self._mode == "none":
            return None
        shas = [commit]
        if self._mode == "range" and since is not None and since != commit:
            shas = self._range(objects, commit, since)
        problems: list[Problem] = []
        signers: dict[str, Signer] = {}
        with gpg.GpgHome(self._roots.gpg_keys) as home:
            judge = _Judge(self._roots, home, self._clock)
            for sha, data in _read_chain(objects, shas):
                try:
                    signers[sha] = judge.signer(read_signed(data))
                except Unverifiable as error:
                    problems.append(Problem(f"commit {sha[:12]} {error}; {_HOW}"))
        if problems:
            left_out = len(problems) - _MAX_PROBLEMS
            more = [Problem(f"and {left_out} more commits")] if left_out > 0 else []
            raise Rejected(
                f"Commit {commit[:12]} is refused, since it is not proven who made it; what was "
                "in force before stays in force.",
                problems=[*problems[:_MAX_PROBLEMS], *more],
            )
        return signers[commit]

    def _range(self, objects: Objects, commit: CommitSha, since: CommitSha) -> list[CommitSha]:
        found = objects.first_parents(since, commit, MAX_RANGE + 1)
        if found is None:
            why = (
                f"commit {since[:12]}, up to which signatures were verified, is not in the "
                "repository any more, so that the commits since then are not known; push it "
                "again under any name, or set HOOKLEDGER_VERIFY=head for one sync"
            )
            raise Rejected("The signatures cannot be verified.", problems=[Problem(why)])
        if len(found) > MAX_RANGE:
            why = (
                f"there are more than {MAX_RANGE} commits since {since[:12]}; let the branch "
                "advance in smaller steps, or set HOOKLEDGER_VERIFY=head for one sync"
            )
            raise Rejected("The signatures cannot be verified.", problems=[Problem(why)])
        # Back to a commit that `since` came after, nothing new has to be checked but itself.
        return [CommitSha(sha) for sha in found] or [commit]

    def _require_roots(self) -> None:
        roots = self._roots
        if roots.allowed_signers is None and not roots.gpg_keys:
            raise Stalled(
                f'HOOKLEDGER_VERIFY is "{self._mode}", but no key is configured, so that every '
                "commit would be refused: set HOOKLEDGER_ALLOWED_SIGNERS (SSH) or "
                "HOOKLEDGER_GPG_KEYS and HOOKLEDGER_GPG_FINGERPRINTS (GPG)."
            )
        if roots.allowed_signers is not None:
            read_allowed_signers(roots.allowed_signers)
        if roots.revoked_signers is not None:
            read_revoked(roots.revoked_signers)
        if bool(roots.gpg_keys) != bool(roots.gpg_fingerprints):
            raise Stalled(
                "HOOKLEDGER_GPG_KEYS and HOOKLEDGER_GPG_FINGERPRINTS belong together: files of "
                "public keys, and which of them may sign."
            )
        if roots.gpg_keys:
            with gpg.GpgHome(roots.gpg_keys) as home:
                missing = sorted(roots.gpg_fingerprints - home.fingerprints())
            if missing:
                raise Stalled(
                    f"No file of HOOKLEDGER_GPG_KEYS holds a primary key {', '.join(missing)} "
                    "(HOOKLEDGER_GPG_FINGERPRINTS)."
                )


class _Judge:
    """Judges commits by the keys as they are configured now."""

    def __init__(self, roots: TrustRoots, home: gpg.GpgHome, clock: Clock) -> None:
        self._roots = roots
        self._home = home
        self._now = clock()
        allowed, revoked = roots.allowed_signers, roots.revoked_signers
        self._allowed = () if allowed is None else read_allowed_signers(allowed)
        self._revoked = frozenset() if revoked is None else read_revoked(revoked)

    def signer(self, commit: SignedCommit) -> Signer:
        if commit.signature.startswith(sshsig.BEGIN):
            return self._ssh_signer(commit)
        if commit.signature.startswith(gpg.BEGIN):
            return self._gpg_signer(commit)
        raise Unverifiable("is signed neither by SSH nor by GPG")

    def _ssh_signer(self, commit: SignedCommit) -> Signer:
        key = sshsig.verified_key(commit.signature, commit.payload)
        signer = Signer("ssh", fingerprint(key), "")
        if signer.fingerprint in self._revoked:
            raise Unverifiable(f"is signed with the SSH key {signer.fingerprint}, which is revoked")
        lines = [line for line in self._allowed if line.key == key and line.for_git]
        if not lines:
            raise Unverifiable(
                f"is signed with the SSH key {signer.fingerprint}, which is not allowed to"
            )
        lines = [line for line in lines if self._is_valid(line, commit)]
        if not lines:
            raise Unverifiable(
                f"is signed with the SSH key {signer.fingerprint}, which is not valid now, or was "
                "not when the commit was made"
            )
        if any(line.covers(commit.email) for line in lines):
            return replace(signer, principal=commit.email)
        if self._roots.signer_is_committer:
            raise _not_theirs(lines[0].principals, commit)
        return replace(signer, principal=lines[0].principals)

    def _is_valid(self, line: AllowedSigner, commit: SignedCommit) -> bool:
        return line.is_valid_at(self._now) and line.is_valid_at(commit.committed_at)

    def _gpg_signer(self, commit: SignedCommit) -> Signer:
        if not self._roots.gpg_keys:
            raise Unverifiable("is signed by GPG, but no GPG key is configured")
        key = self._home.verified_key(commit.signature, commit.payload)
        if key.fingerprint not in self._roots.gpg_fingerprints:
            raise Unverifiable(
                f"is signed with the GPG key {key.fingerprint}, which is not allowed to"
            )
        own = [email for email in key.emails if email.lower() == commit.email.lower()]
        if not own and self._roots.signer_is_committer:
            raise _not_theirs(", ".join(key.emails), commit)
        return Signer("gpg", key.fingerprint, [*own, *key.emails, key.fingerprint][0])


def _not_theirs(principals: str, commit: SignedCommit) -> Unverifiable:
    return Unverifiable(
        f"names `{printable(commit.email)}` as its committer, but is signed with a key of "
        f"`{principals}`"
    )


def _read_chain(objects: Objects, shas: list[CommitSha]) -> list[tuple[str, bytes]]:
    """Read commits, newest first; each must be the first parent of the one before it."""
    read = objects.read_many(shas, "commit", MAX_COMMIT_BYTES)
    chain: list[tuple[str, bytes]] = []
    for sha in shas:
        data = read[sha]
        if isinstance(data, Oversized):
            raise Stalled(f"Commit {sha} is {data.size} bytes; it is not read.")
        if chain and first_parent(chain[-1][1]) != sha:
            raise Stalled(f"git names {sha} as a parent that it is not; run `git fsck`.")
        chain.append((sha, data))
    return chain
