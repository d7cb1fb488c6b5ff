"""GPG signatures, judged by ``gpg`` in a home that holds the configured keys and nothing else.

That a key is in the home proves little: gpg calls a signature good by any key it knows, and exits
with 0. What counts is ``VALIDSIG`` with a primary key whose fingerprint the operator listed, and no
word of expiry or revocation (GnuPG's doc/DETAILS).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app.domain.errors import Stalled, Transient
from app.gitops.signatures.signed_commits import Unverifiable

BEGIN = b"-----BEGIN PGP SIGNATURE-----"

_SECONDS = 30.0
_PREFIX = "[GNUPG:] "
_PRIMARY = 10
"""Place of the primary key's fingerprint among the words of VALIDSIG."""
_CLASS = 9
_EMAIL = re.compile(r"<([^<>]+)>\Z")
_REASONS = {
    "BADSIG": "was changed after it was signed",
    "EXPSIG": "has a GPG signature that has expired",
    "EXPKEYSIG": "is signed with a GPG key that has expired",
    "REVKEYSIG": "is signed with a GPG key that was revoked",
    "NO_PUBKEY": "is signed with a GPG key that is not configured",
    "ERRSIG": "has a GPG signature made in a way that is not accepted",
}
_OPTIONS = (
    "--batch",
    "--no-tty",
    "--no-options",
    "--no-autostart",
    "--disable-dirmngr",
    "--no-auto-key-retrieve",
    "--no-auto-key-import",
    "--no-auto-check-trustdb",
    "--trust-model=always",
    "--weak-digest=SHA1",
    "--weak-digest=RIPEMD160",
)


@dataclass(frozen=True, slots=True)
class GpgKey:
    """The primary key that a signature leads to."""

    fingerprint: str
    emails: tuple[str, ...]
    """Of its user ids that are not revoked."""


class GpgHome:
    """A throw-away home of gpg; use it as a context."""

    def __init__(self, key_files: Sequence[Path]) -> None:
        self._files = key_files
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def fingerprints(self) -> frozenset[str]:
        """Return the primary keys' fingerprints; raise ``Stalled`` if a file cannot be used."""
        lines = self._run("--with-colons", "--list-keys").stdout.decode("utf-8", "replace")
        return frozenset(_primary_fingerprints(lines))

    def verified_key(self, signature: bytes, message: bytes) -> GpgKey:
        """Return the primary key that signed ``message``; raise ``Unverifiable``."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(signature)
            file.flush()
            done = self._run("--status-fd=1", "--verify", "--", file.name, "-", given=message)
        primary = _judge(done.stdout.decode("utf-8", "replace"))
        return GpgKey(primary, self._emails(primary))

    def _emails(self, primary: str) -> tuple[str, ...]:
        listed = self._run("--with-colons", "--list-keys", "--", primary).stdout
        records = [line.split(":") for line in listed.decode("utf-8", "replace").splitlines()]
        uids = (fields for fields in records if fields[0] == "uid" and fields[1] not in ("r", "e"))
        found = (_EMAIL.search(_unescaped(fields[9])) for fields in uids)
        return tuple(match[1] for match in found if match)

    def _run(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="hookledger-gpg-")
            for file in self._files:
                self._import(file)
        return self._gpg(*arguments, given=given)

    def _import(self, file: Path) -> None:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise Stalled(f"The GPG key file {file} cannot be read: {error.strerror}.") from error
        said = self._gpg("--status-fd=1", "--import", given=data).stdout
        if b"IMPORT_OK" not in said:
            raise Stalled(
                f"The GPG key file {file} holds no public key; write it with `gpg --export "
                "--armor FINGERPRINT`."
            )

    def _gpg(self, *arguments: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
        program = shutil.which("gpg")
        if program is None or self._folder is None:
            raise Stalled("The program `gpg` is not installed, which checks GPG signatures.")
        home = self._folder.name
        try:
            return subprocess.run(
                [program, f"--homedir={home}", *_OPTIONS, *arguments],
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "LC_ALL": "C"},
                input=given,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Transient("gpg took too long to answer and was stopped.") from None


def _judge(status: str) -> str:
    """Return the fingerprint of the primary key, from what gpg reports on its status lines."""
    said = [
        line.removeprefix(_PREFIX).split()
        for line in status.splitlines()
        if line.startswith(_PREFIX)
    ]
    words = [line[0] for line in said if line]
    for word, reason in _REASONS.items():
        if word in words:
            raise Unverifiable(reason)
    valid = [line for line in said if line and line[0] == "VALIDSIG"]
    if words.count("NEWSIG") != 1 or words.count("GOODSIG") != 1 or len(valid) != 1:
        raise Unverifiable("has a GPG signature that is damaged, or not exactly one")
    if len(valid[0]) <= _PRIMARY or valid[0][_CLASS] != "00":
        raise Unverifiable("has a GPG signature of another kind than commits have")
    return valid[0][_PRIMARY].upper()


def _primary_fingerprints(colons: str) -> list[str]:
    found = []
    expected = False
    for line in colons.splitlines():
        fields = line.split(":")
        if fields[0] == "pub":
            expected = True
        elif fields[0] == "fpr" and expected:
            found.append(fields[9])
            expected = False
    return found


def _unescaped(field: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), field)
