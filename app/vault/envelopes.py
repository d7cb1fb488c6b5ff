"""AES-256-GCM as the vault uses it: fresh nonces, derived keys, unambiguous binding.

Pure functions over bytes. A random 96-bit nonce is safe for 2**32 messages a key (NIST SP 800-38D,
section 8.3); data keys encrypt one message each, and keys for ``protect`` change at each rotation.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16


def new_key() -> bytes:
    """Draw a 256-bit key from the operating system."""
    return os.urandom(KEY_BYTES)


def derive(key: bytes, purpose: str) -> bytes:
    """Derive a key for one purpose (HKDF-SHA-256, RFC 5869, the purpose as its info)."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=bind("hookledger", purpose)).derive(key)


def bind(*parts: str) -> bytes:
    """Join strings so that no other list of strings gives the same bytes."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def encrypt(key: bytes, data: bytes, bound_to: bytes) -> bytes:
    """Return nonce, ciphertext and tag; only the same key and ``bound_to`` open them."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, bound_to)


def decrypt(key: bytes, sealed: bytes, bound_to: bytes) -> bytes | None:
    """Undo ``encrypt``; None when the bytes, the key or what they are bound to differ."""
    if len(sealed) < _NONCE_BYTES + _TAG_BYTES:
        return None
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except InvalidTag:
        return None
