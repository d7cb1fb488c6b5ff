"""Keys and signed commits, made in process, so that they need neither ssh-keygen nor an agent."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.domain.revisions import CommitSha
from app.domain.signers import Signer, VerifyMode
from app.gitops.signatures.policy import SignatureCheck, TrustRoots
from app.gitops.source import LocalRepository

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
COMMITTER = "grace@example.com"
HOOK = {"hooks/pre-user-registration/a/hook.toml": "", "hooks/pre-user-registration/a/hook.py": "x"}


def _string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _mpint(value: int) -> bytes:
    return _string(value.to_bytes(value.bit_length() // 8 + 1, "big"))


@dataclass
class SshKey:
    """A private key, and OpenSSH's PROTOCOL.sshsig written down a second time."""

    private: Any = field(default_factory=ed25519.Ed25519PrivateKey.generate)
    rsa_algorithm: str = "rsa-sha2-512"

    @property
    def line(self) -> str:
        """Type and key as they stand in a file."""
        text = self.private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        return str(text.decode())

    @property
    def blob(self) -> bytes:
        return base64.b64decode(self.line.split()[1])

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def sign(self, message: bytes, namespace: str = "git", hashed: str = "sha512") -> bytes:
        digest = hashlib.new(hashed, message).digest()
        head = _string(namespace.encode()) + _string(b"") + _string(hashed.encode())
        proof = self._prove(b"SSHSIG" + head + _string(digest))
        blob = b"SSHSIG" + (1).to_bytes(4, "big") + _string(self.blob) + head + _string(proof)
        return armoured(blob)

    def _prove(self, message: bytes) -> bytes:
        match self.private:
            case ed25519.Ed25519PrivateKey():
                return _string(b"ssh-ed25519") + _string(self.private.sign(message))
            case rsa.RSAPrivateKey():
                digest = {
                    "rsa-sha2-512": hashes.SHA512(),
                    "rsa-sha2-256": hashes.SHA256(),
                    "ssh-rsa": hashes.SHA1(),
                }[self.rsa_algorithm]
                proof = self.private.sign(message, padding.PKCS1v15(), digest)
                return _string(self.rsa_algorithm.encode()) + _string(proof)
            case ec.EllipticCurvePrivateKey():
                bits = self.private.curve.key_size
                digest = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[bits]
                r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(digest)))
                kind = f"ecdsa-sha2-nistp{bits}".encode()
                return _string(kind) + _string(_mpint(r) + _mpint(s))
        raise AssertionError(self.private)


def armoured(blob: bytes) -> bytes:
    text = base64.b64encode(blob).decode()
    lines = [text[start : start + 70] for start in range(0, len(text), 70)]
    body = "\n".join(("-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""))
    return body.encode()


def with_signature(commit: bytes, signature: bytes, header: bytes = b"gpgsig") -> bytes:
    """Put a signature where git does: at the end of the headers."""
    head, _, body = commit.partition(b"\n\n")
    lines = signature.rstrip(b"\n").replace(b"\n", b"\n ")
    return head + b"\n" + header + b" " + lines + b"\n\n" + body


@dataclass
class Workshop:
    """A repository, what the operator configured, and the server's view of it."""

    theirs: Any
    folder: Path
    roots: dict[str, Any] = field(default_factory=dict)
    opened: list[LocalRepository] = field(default_factory=list)
    make_key: type[SshKey] = SshKey
    with_signature: Callable[..., bytes] = with_signature
    armoured: Callable[..., bytes] = armoured

    def allow(self, *lines: str) -> None:
        file = self.folder / "allowed_signers"
        file.write_text("".join(f"{line}\n" for line in lines))
        self.roots["allowed_signers"] = file

    def revoke(self, *lines: str) -> None:
        file = self.folder / "revoked"
        file.write_text("".join(f"{line}\n" for line in lines))
        self.roots["revoked_signers"] = file

    def commit(
        self, key: SshKey | None = None, message: str = "change", **signing: Any
    ) -> CommitSha:
        """Commit something, signed by ``key``."""
        self.theirs.commit({**HOOK, "file": message}, message)
        unsigned = self.raw("HEAD")
        if key is None:
            return CommitSha(self.theirs.git("rev-parse", "HEAD"))
        return self.store(with_signature(unsigned, key.sign(unsigned, **signing)))

    def raw(self, name: str) -> bytes:
        git = ["git", "--git-dir", str(self.theirs.git_dir), "cat-file", "commit", name]
        return subprocess.run(git, capture_output=True, check=True).stdout

    def store(self, commit: bytes) -> CommitSha:
        """Store a commit object as it is, and move the branch there."""
        sha = self.theirs.git(
            "hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=commit
        )
        self.theirs.git("update-ref", "refs/heads/main", sha)
        return CommitSha(sha)

    def check(self, mode: VerifyMode = "head") -> SignatureCheck:
        return SignatureCheck(mode, TrustRoots(**self.roots), lambda: NOW)

    def verify(
        self, commit: CommitSha, since: str | None = None, mode: VerifyMode = "head"
    ) -> Signer | None:
        mirror = self.folder / f"mirror-{len(self.opened)}"
        repository = LocalRepository(
            self.theirs.location, "main", "", mirror, signatures=self.check(mode)
        )
        self.opened.append(repository)
        return repository.verify(commit, CommitSha(since) if since else None)


@pytest.fixture
def workshop(theirs: Any, tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(theirs, tmp_path)
    yield made
    for repository in made.opened:
        repository.close()


@pytest.fixture
def key() -> SshKey:
    return SshKey()


_GPG = ("gpg", "--batch", "--no-tty", "--passphrase", "", "--pinentry-mode", "loopback")


@dataclass
class Keyring:
    """GPG as an author uses it, in a home of its own."""

    home: str

    def gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        done = subprocess.run(
            [*_GPG, *arguments],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "GNUPGHOME": self.home, "LC_ALL": "C"},
            input=stdin,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def generate(
        self,
        email: str,
        *,
        expires: str = "never",
        at: str = "20251101T000000",
        name: str = "Grace",
    ) -> str:
        """Make a key and return its fingerprint; ``at`` is when it is supposed to be made."""
        user = f"{name} <{email}>"
        past = ("--faked-system-time", f"{at}!")
        self.gpg(*past, "--quick-generate-key", user, "ed25519", "sign", expires)
        listed = self.gpg("--with-colons", "--list-keys", f"={user}").decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def export(self, file: Path, *fingerprints: str) -> Path:
        file.write_bytes(self.gpg("--armor", "--export", *fingerprints))
        return file

    def sign(self, message: bytes, fingerprint: str, *options: str) -> bytes:
        return self.gpg(
            "--armor", "--detach-sign", "--local-user", fingerprint, *options, stdin=message
        )


@pytest.fixture
def keyring() -> Iterator[Keyring]:
    # Not tmp_path: the agent's socket must fit into 108 characters.
    home = tempfile.mkdtemp(prefix="gpg-")
    yield Keyring(home)
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
    shutil.rmtree(home, ignore_errors=True)
