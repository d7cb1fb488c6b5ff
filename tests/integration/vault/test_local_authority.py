"""Certificates for this machine: made once, trusted once, renewed in time."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509

from app.domain.errors import Stalled
from app.vault.local_authority import LIFETIME, ensure_local_certificates

NAMES = ["localhost", "127.0.0.1", "::1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tls"


def present(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_client_that_trusts_the_authority_accepts_the_certificate(
    folder: Path, clock: Any
) -> None:
    made = ensure_local_certificates(folder, NAMES, clock)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.certificate, made.key)
    client = ssl.create_default_context(cafile=made.authority)
    for name in NAMES:
        one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
        dialling = client.wrap_bio(one, other, server_hostname=name)
        answering = server.wrap_bio(other, one, server_side=True)
        for _ in range(3):
            for side in (dialling, answering):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        assert dialling.version() == "TLSv1.3"


def test_keys_are_for_their_owner_only(folder: Path, clock: Any) -> None:
    ensure_local_certificates(folder, NAMES, clock)
    assert {path.name for path in folder.iterdir()} == {
        "ca.pem",
        "ca.key",
        "server.pem",
        "server.key",
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_what_is_good_is_left_alone(folder: Path, clock: Any) -> None:
    ensure_local_certificates(folder, NAMES, clock)
    before = present(folder)
    clock.advance(LIFETIME - timedelta(days=100))
    ensure_local_certificates(folder, NAMES[:1], clock)
    assert present(folder) == before


@pytest.mark.parametrize("days", [80, -10])
def test_a_certificate_that_ends_is_renewed_by_the_same_authority(
    folder: Path, clock: Any, days: int
) -> None:
    made = ensure_local_certificates(folder, NAMES, clock)
    before = present(folder)
    clock.advance(LIFETIME - timedelta(days=days))
    ensure_local_certificates(folder, NAMES, clock)
    after = present(folder)
    assert after["ca.pem"] == before["ca.pem"]
    assert after["server.pem"] != before["server.pem"]
    renewed = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    assert renewed.not_valid_after_utc == clock() + LIFETIME


def test_another_name_needs_another_certificate(folder: Path, clock: Any) -> None:
    ensure_local_certificates(folder, NAMES, clock)
    before = present(folder)
    ensure_local_certificates(folder, [*NAMES, "hooks.test"], clock)
    assert present(folder)["server.pem"] != before["server.pem"]


def test_a_certificate_of_another_authority_is_replaced(folder: Path, clock: Any) -> None:
    made = ensure_local_certificates(folder, NAMES, clock)
    stranger = trustme.CA().issue_cert(*NAMES)
    made.certificate.write_bytes(stranger.cert_chain_pems[0].bytes())
    ensure_local_certificates(folder, NAMES, clock)
    assert made.certificate.read_bytes() != stranger.cert_chain_pems[0].bytes()


def test_a_damaged_authority_is_said_with_the_way_out(folder: Path, clock: Any) -> None:
    made = ensure_local_certificates(folder, NAMES, clock)
    made.authority.write_text("nothing")
    with pytest.raises(Stalled, match="Remove the folder"):
        ensure_local_certificates(folder, NAMES, clock)
