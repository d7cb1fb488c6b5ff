"""Signatures that ``ssh-keygen -Y sign`` makes, verified in process (0.2 ms; a process takes 12).

OpenSSH's PROTOCOL.sshsig, version 1. The namespace must be git's, so that a signature made for
something else, a file or an e-mail, does not vouch for a commit.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from app.gitops.signatures.signed_commits import Unverifiable
from app.gitops.signatures.ssh_keys import is_signed_by, key_type
from app.gitops.signatures.wire import Malformed, Reader, string

BEGIN = b"-----BEGIN SSH SIGNATURE-----"

NAMESPACE = "git"
_ARMOUR = re.compile(BEGIN + rb"\n([A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----\n*\Z")
_MAGIC = b"SSHSIG"
_VERSION = 1
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_CERTIFICATE = "-cert-v01@openssh.com"


def verified_key(armoured: bytes, message: bytes) -> bytes:
    """Return the public key, in SSH's encoding, that signed ``message``; trust is not judged.

    Raises ``Unverifiable``.
    """
    try:
        return _verified_key(armoured, message)
    except Malformed:
        raise Unverifiable(
            "has an SSH signature that is damaged, or of a kind that is not accepted (accepted "
            "are Ed25519, ECDSA, RSA of 2048 bits and more with SHA-2, and security keys)"
        ) from None


def _verified_key(armoured: bytes, message: bytes) -> bytes:
    reader = Reader(_unarmoured(armoured))
    if reader.take(len(_MAGIC)) != _MAGIC or reader.number() != _VERSION:
        raise Malformed
    key, namespace, reserved = reader.string(), reader.text(), reader.string()
    algorithm, signature = reader.text(), reader.string()
    reader.end()
    if algorithm not in _HASHES:
        raise Malformed
    if key_type(key).endswith(_CERTIFICATE):
        raise Unverifiable("is signed with an SSH certificate; sign with a plain key")
    if namespace != NAMESPACE:
        raise Unverifiable(f"has an SSH signature made for `{namespace[:64]}`, not for git")
    hashed = _HASHES[algorithm](message).digest()
    parts = (namespace.encode(), reserved, algorithm.encode(), hashed)
    if not is_signed_by(key, signature, _MAGIC + b"".join(map(string, parts))):
        raise Unverifiable("was changed after it was signed")
    return key


def _unarmoured(armoured: bytes) -> bytes:
    found = _ARMOUR.match(armoured)
    if found is None:
        raise Malformed
    try:
        return base64.b64decode(found[1].replace(b"\n", b""), validate=True)
    except binascii.Error:
        raise Malformed from None
