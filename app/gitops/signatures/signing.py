"""Signing commits that are made here, as ``ssh-keygen -Y sign`` would (PROTOCOL.sshsig)."""

from __future__ import annotations

import base64
import hashlib
import textwrap
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)

from app.domain.errors import Stalled
from app.gitops.signatures.sshsig import BEGIN, NAMESPACE
from app.gitops.signatures.wire import string

_END = b"-----END SSH SIGNATURE-----"
_KIND = b"ssh-ed25519"
_HASH = b"sha512"
_LINE = 70


class SigningKey:
    """An Ed25519 key in OpenSSH's format, without a passphrase."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._public = string(_KIND) + string(raw)

    @classmethod
    def read(cls, file: Path) -> SigningKey:
        """Read a key; raise ``Stalled`` if it cannot be used."""
        try:
            key = load_ssh_private_key(file.read_bytes(), None)
        except OSError as error:
            raise Stalled(f"The signing key {file} cannot be read: {error.strerror}.") from error
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise Stalled(
                f"The signing key {file} is no Ed25519 key of OpenSSH without a passphrase; make "
                "one with `ssh-keygen -t ed25519 -N ''`."
            )
        return cls(key)

    def sign(self, message: bytes) -> bytes:
        """Return the armoured signature of a commit's content."""
        namespace = NAMESPACE.encode()
        hashed = hashlib.sha512(message).digest()
        parts = (namespace, b"", _HASH, hashed)
        proof = self._key.sign(b"SSHSIG" + b"".join(map(string, parts)))
        signature = string(_KIND) + string(proof)
        blob = b"SSHSIG" + (1).to_bytes(4, "big")
        blob += b"".join(map(string, (self._public, namespace, b"", _HASH, signature)))
        lines = textwrap.wrap(base64.b64encode(blob).decode(), _LINE)
        return b"\n".join([BEGIN, *(line.encode() for line in lines), _END])
