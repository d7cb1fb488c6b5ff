"""Commits that the server makes are signed as its own check demands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from app.domain.errors import Rejected, Stalled
from app.domain.revisions import CommitSha
from app.gitops.local_branch import LocalBranch
from app.gitops.new_commits import Person
from app.gitops.signatures.policy import SignatureCheck, TrustRoots
from app.gitops.signatures.signing import SigningKey
from app.gitops.source import LocalRepository
from app.gitops.write_back import WriteBack

if TYPE_CHECKING:
    from tests.integration.gitops.conftest import GitRepository

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SCRIPT = "hooks/pre-user-registration/no-throwaway/hook.py"


def key_file(folder: Path, key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> Path:
    file = folder / "key"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return file


def test_a_signed_commit_passes_the_check_and_an_unsigned_one_does_not(
    theirs: GitRepository, tmp_path: Path
) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    allowed = tmp_path / "allowed"
    allowed.write_text(f"hookledger@example.com {public}\n")
    check = SignatureCheck("head", TrustRoots(allowed_signers=allowed), lambda: NOW)
    mirror = tmp_path / "mirror"
    ours = LocalRepository(
        location=theirs.location, branch="main", path="", mirror_dir=mirror, signatures=check
    )
    theirs.commit_hook()
    tip = ours.resolve(ours.tip())

    def commit(*, signed: bool) -> CommitSha:
        back = WriteBack(
            mirror,
            LocalBranch(theirs.location, "main"),
            Person("hookledger", "hookledger@example.com"),
            lambda: NOW,
            sign=SigningKey.read(key_file(tmp_path, key)).sign if signed else None,
        )
        files = {SCRIPT: b"# changed\n"}
        return back.prepare(tip, files, author="Ada", email="a@example.com", message="x\n\ny").sha

    signer = ours.verify(commit(signed=True), None)
    assert signer is not None
    assert signer.principal == "hookledger@example.com"
    with pytest.raises(Rejected, match="not proven"):
        ours.verify(commit(signed=False), None)
    ours.close()


def test_keys_that_cannot_sign_are_refused(tmp_path: Path) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(Stalled, match="no Ed25519 key"):
        SigningKey.read(key_file(tmp_path, curve))
    text = tmp_path / "text"
    text.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nno\n-----END OPENSSH PRIVATE KEY-----\n")
    with pytest.raises(Stalled, match="no Ed25519 key"):
        SigningKey.read(text)
    with pytest.raises(Stalled, match="cannot be read"):
        SigningKey.read(tmp_path / "nowhere")
