"""The served certificate: every way its files can be wrong is a sentence."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from app.bootstrap.tls import ServedCertificate, served_certificate
from app.domain.errors import Stalled
from config.settings import load_settings


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> tuple[Path, Path]:
    made = authority.issue_cert("localhost")
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    certificate.write_bytes(made.cert_chain_pems[0].bytes())
    key.write_bytes(made.private_key_pem.bytes())
    return certificate, key


def complaint(certificate: Path, key: Path) -> str:
    with pytest.raises(Stalled) as error:
        ServedCertificate(certificate, key)
    return str(error.value)


def shown(context: ssl.SSLContext, authority: trustme.CA) -> bytes | None:
    """Shake hands, and return the certificate that the server showed."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    dialling = client.wrap_bio(one, other, server_hostname="localhost")
    answering = context.wrap_bio(other, one, server_side=True)
    for _ in range(3):
        for side in (dialling, answering):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dialling.getpeercert(binary_form=True)


def test_old_protocols_are_off(files: tuple[Path, Path]) -> None:
    assert ServedCertificate(*files).context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_one_file_may_hold_both(files: tuple[Path, Path]) -> None:
    certificate, key = files
    certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
    assert served_certificate(load_settings(tls_cert=str(certificate))) is not None


def test_without_a_certificate_the_server_speaks_plain_http() -> None:
    assert served_certificate(load_settings()) is None
    assert load_settings().address.startswith("http://")


def test_a_key_without_a_certificate_is_refused() -> None:
    with pytest.raises(Stalled, match="HOOKLEDGER_TLS_CERT"):
        served_certificate(load_settings(tls_key="somewhere"))


def test_a_missing_file_is_named(files: tuple[Path, Path]) -> None:
    certificate, key = files
    nowhere = certificate.with_name("nowhere.pem")
    assert f"certificate {nowhere} cannot be read: No such file" in complaint(nowhere, key)
    assert f"key {nowhere} cannot be read: No such file" in complaint(certificate, nowhere)
    assert "Is a directory" in complaint(certificate.parent, key)


def test_a_key_that_does_not_belong_is_said(
    files: tuple[Path, Path], authority: trustme.CA
) -> None:
    certificate, key = files
    key.write_bytes(authority.issue_cert("localhost").private_key_pem.bytes())
    assert "does not belong to the certificate" in complaint(certificate, key)


def test_what_is_no_pem_is_said(files: tuple[Path, Path]) -> None:
    certificate, key = files
    key.write_text("nonsense")
    assert "both in PEM" in complaint(certificate, key)
    assert "both in PEM" in complaint(key, key)


def test_an_encrypted_key_is_refused_rather_than_asked_for(files: tuple[Path, Path]) -> None:
    import subprocess

    certificate, key = files
    locked = key.with_name("locked.key")
    subprocess.run(
        ["openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", key, "-out", locked], check=True
    )
    assert "encrypted with a password" in complaint(certificate, locked)


def test_renewed_files_are_shown_to_new_connections(
    files: tuple[Path, Path], authority: trustme.CA
) -> None:
    served = ServedCertificate(*files)
    before = shown(served.context, authority)
    renewed = authority.issue_cert("localhost")
    files[0].write_bytes(renewed.cert_chain_pems[0].bytes())
    files[1].write_bytes(renewed.private_key_pem.bytes())
    served.reload()
    after = shown(served.context, authority)
    assert before is not None
    assert after is not None
    assert after != before


def test_files_that_are_half_written_leave_the_certificate_in_use(
    files: tuple[Path, Path], authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    served = ServedCertificate(*files)
    before = shown(served.context, authority)
    for path, content in (
        (files[0], authority.issue_cert("localhost").cert_chain_pems[0].bytes()),
        (files[0], b""),
        (files[1], b""),
    ):
        path.write_bytes(content)
        served.reload()
        assert shown(served.context, authority) == before
    assert "certificate_not_reloaded" in caplog.text
