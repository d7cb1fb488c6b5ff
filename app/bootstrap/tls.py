"""TLS of the server itself: the certificate it shows, and taking up a renewed one."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from app.bootstrap.ambient import utc_now
from app.bootstrap.data_directory import prepare_data_directory
from app.domain.errors import Stalled
from app.vault.local_authority import LocalCertificates, ensure_local_certificates
from config.settings import Settings

_log = logging.getLogger("hookledger.server")

_LOCAL = ("localhost", "127.0.0.1", "::1")


class ServedCertificate:
    """The files of the settings, and the context that every new connection uses."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Load the files; raise ``Stalled`` saying which one is wrong, and how."""
        self._files = (certificate, key)
        self.context = _loaded(certificate, key)

    def reload(self) -> None:
        """Take up renewed files; with unusable ones, go on as before and say so in the log."""
        try:
            _loaded(*self._files)  # a failure half-way must not leave the new without its key
            self.context.load_cert_chain(*self._files, password=_no_password)
        except (Stalled, OSError) as error:
            _log.error("certificate_not_reloaded", extra={"reason": str(error)})
        else:
            _log.info("certificate_reloaded", extra={"file": str(self._files[0])})


def served_certificate(settings: Settings) -> ServedCertificate | None:
    """Load what the settings name; None if the server speaks plain HTTP."""
    if not settings.tls_cert:
        if settings.tls_key:
            raise Stalled("HOOKLEDGER_TLS_KEY is set, but HOOKLEDGER_TLS_CERT is not: set both.")
        return None
    return ServedCertificate(Path(settings.tls_cert), Path(settings.tls_key or settings.tls_cert))


def local_certificates(settings: Settings) -> LocalCertificates:
    """Make, or keep, certificates for this machine's own names, in the data directory."""
    prepare_data_directory(settings)
    asked = (settings.host, urlsplit(settings.public_url).hostname or "")
    others = [name for name in asked if name not in ("", "0.0.0.0", "::")]  # noqa: S104 (left out)
    names = dict.fromkeys((*_LOCAL, *others))
    return ensure_local_certificates(settings.data_dir / "tls", list(names), utc_now)


def _loaded(certificate: Path, key: Path) -> ssl.SSLContext:
    for path, what in ((certificate, "certificate"), (key, "key")):
        try:
            path.open("rb").close()
        except OSError as error:
            raise Stalled(f"The TLS {what} {path} cannot be read: {error.strerror}.") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise Stalled(_told(certificate, key, error)) from None
    return context


def _told(certificate: Path, key: Path, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"The TLS key {key} does not belong to the certificate {certificate}."
    return (
        f"The TLS certificate {certificate} with the key {key} cannot be used "
        f"({error.reason or 'not PEM'}): the first must hold the certificate and those that signed "
        "it, the second its private key, both in PEM."
    )


def _no_password() -> str:
    raise Stalled("The TLS key is encrypted with a password; give the server one that is not.")
