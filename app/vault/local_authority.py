"""A certificate authority for this machine alone, so that tools which insist on HTTPS can be used.

Whoever trusts it trusts the holder of its key, which lies beside it: good for development, not for
serving others.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import trustme
from cryptography import x509

from app.application.ports import Clock
from app.domain.errors import Stalled

LIFETIME = timedelta(days=397)
"""Longest that browsers accept."""
RENEWED_BEFORE = timedelta(days=90)

_NAME = "hookledger local development"


@dataclass(frozen=True, slots=True)
class LocalCertificates:
    """Files in PEM."""

    authority: Path
    """What clients must trust."""
    certificate: Path
    key: Path


def ensure_local_certificates(
    folder: Path, names: Sequence[str], clock: Clock
) -> LocalCertificates:
    """Make what is missing, and a new certificate if the present one ends soon or lacks a name.

    The authority stays the same, so that clients need not be told again. Raises ``Stalled`` when
    the files cannot be read or written.
    """
    files = LocalCertificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = _authority(files.authority, folder / "ca.key")
        if not _good(files, names, authority, clock):
            now = clock()
            made = authority.issue_cert(
                *names,
                organization_name=_NAME,
                not_before=now - timedelta(days=1),
                not_after=now + LIFETIME,
            )
            _write(files.key, made.private_key_pem.bytes())
            _write(files.certificate, b"".join(blob.bytes() for blob in made.cert_chain_pems))
    except (OSError, ValueError) as error:
        raise Stalled(
            f"The local certificates in {folder} cannot be used: {error}. "
            "Remove the folder to have them made again."
        ) from error
    return files


def _authority(certificate: Path, key: Path) -> trustme.CA:
    with contextlib.suppress(FileNotFoundError):
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    made = trustme.CA(organization_name=_NAME, path_length=0)
    _write(key, made.private_key_pem.bytes())
    _write(certificate, made.cert_pem.bytes())
    return made


def _good(
    files: LocalCertificates, names: Collection[str], authority: trustme.CA, clock: Clock
) -> bool:
    """Tell whether the certificate is of this authority, for these names, and lasts a while."""
    if not (files.certificate.exists() and files.key.exists()):
        return False
    found = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    signer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    alternative = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    held = {
        *alternative.get_values_for_type(x509.DNSName),
        *(str(address) for address in alternative.get_values_for_type(x509.IPAddress)),
    }
    return (
        found.issuer == signer.subject
        and {_normal(name) for name in names} <= held
        and found.not_valid_after_utc - clock() > RENEWED_BEFORE
    )


def _normal(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def _write(path: Path, content: bytes) -> None:
    """Write the file whole, for its owner only."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
