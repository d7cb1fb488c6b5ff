"""Public keys of SSH and their signatures: Ed25519, ECDSA, RSA with SHA-2, and security keys.

RFC 4253 section 6.6, 5656 section 3.1, 8332 and 8709; OpenSSH's PROTOCOL.u2f for keys that live in
a security token. Refused as too weak: DSA, RSA with SHA-1, RSA keys below 2048 bits.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from app.gitops.signatures.wire import Malformed, Reader

_MIN_RSA_BITS = 2048
_MAX_RSA_BITS = 16_384
"""Keys are the signer's choice until they are found to be allowed; larger ones take long."""
_MAX_EXPONENT_BITS = 64
_USER_PRESENT = 1
_CURVES: Mapping[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    "nistp256": (ec.SECP256R1(), hashes.SHA256()),
    "nistp384": (ec.SECP384R1(), hashes.SHA384()),
    "nistp521": (ec.SECP521R1(), hashes.SHA512()),
}
_RSA: Mapping[str, hashes.HashAlgorithm] = {
    "rsa-sha2-256": hashes.SHA256(),
    "rsa-sha2-512": hashes.SHA512(),
}
KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    *(f"ecdsa-sha2-{curve}" for curve in _CURVES),
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


def fingerprint(key: bytes) -> str:
    """Name a public key as ``ssh-keygen -l`` does."""
    hashed = base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
    return f"SHA256:{hashed}"


def key_type(key: bytes) -> str:
    """Return what kind of key it says it is; raise ``Malformed``."""
    return Reader(key).text()


def is_signed_by(key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether ``signature`` is one of ``message`` by ``key``, all three in SSH's encoding.

    Raises ``Malformed`` for a key or signature that is not understood or too weak.
    """
    try:
        _verify(Reader(key), Reader(signature), message)
    except InvalidSignature:
        return False
    except ValueError as error:  # a point that is not on its curve, an RSA key that cannot be
        raise Malformed from error
    return True


def _verify(key: Reader, signature: Reader, message: bytes) -> None:
    kind, algorithm, proof = key.text(), signature.text(), signature.string()
    if kind not in ("ssh-rsa", algorithm):
        raise Malformed
    match kind:
        case "ssh-ed25519":
            _verify_ed25519(key.string(), proof, message)
        case "ssh-rsa":
            _verify_rsa(key, algorithm, proof, message)
        case "sk-ssh-ed25519@openssh.com":
            public = key.string()
            _verify_ed25519(public, proof, _by_token(key, signature, message))
        case "sk-ecdsa-sha2-nistp256@openssh.com":
            curve, point = key.text(), key.string()
            _verify_ecdsa(curve, point, proof, _by_token(key, signature, message))
        case _ if kind.startswith("ecdsa-sha2-") and kind in KEY_TYPES:
            curve, point = key.text(), key.string()
            if kind != f"ecdsa-sha2-{curve}":
                raise Malformed
            _verify_ecdsa(curve, point, proof, message)
        case _:
            raise Malformed
    key.end()
    signature.end()


def _verify_ed25519(public: bytes, proof: bytes, message: bytes) -> None:
    ed25519.Ed25519PublicKey.from_public_bytes(public).verify(proof, message)


def _verify_rsa(key: Reader, algorithm: str, proof: bytes, message: bytes) -> None:
    exponent, modulus = key.integer(), key.integer()
    if algorithm not in _RSA or not _MIN_RSA_BITS <= modulus.bit_length() <= _MAX_RSA_BITS:
        raise Malformed
    if exponent.bit_length() > _MAX_EXPONENT_BITS:
        raise Malformed
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    public.verify(proof, message, padding.PKCS1v15(), _RSA[algorithm])


def _verify_ecdsa(curve: str, point: bytes, proof: bytes, message: bytes) -> None:
    if curve not in _CURVES:
        raise Malformed
    shape, digest = _CURVES[curve]
    numbers = Reader(proof)
    encoded = encode_dss_signature(numbers.integer(), numbers.integer())
    numbers.end()
    public = ec.EllipticCurvePublicKey.from_encoded_point(shape, point)
    public.verify(encoded, message, ec.ECDSA(digest))


def _by_token(key: Reader, signature: Reader, message: bytes) -> bytes:
    """Return what a security token signs for ``message``; its owner must have touched it."""
    application = key.string()
    flags, counter = signature.take(1), signature.take(4)
    if not flags[0] & _USER_PRESENT:
        raise Malformed
    hashed = hashlib.sha256(application).digest(), hashlib.sha256(message).digest()
    return hashed[0] + flags + counter + hashed[1]
