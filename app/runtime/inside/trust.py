"""Whose certificates a worker believes: the system's authorities, and those of the operator."""

from __future__ import annotations

import os
import ssl
from typing import Any

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Debian and Alpine, Red Hat, SUSE, BSD and others."""


def bundle() -> str | None:
    """Return the path of the system's authorities in one file, if there is one."""
    return next((path for path in _BUNDLES if os.path.isfile(path)), None)  # noqa: PTH113 (before anything else may be imported)


def environment() -> dict[str, str]:
    """Return what tells libraries where that file is: its usual place is not in sight."""
    path = bundle()
    return {} if path is None else dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), path)


def trust_besides(authorities: str) -> None:
    """Have every context that loads authorities load these (PEM) too."""
    load_locations = ssl.SSLContext.load_verify_locations
    load_defaults = ssl.SSLContext.load_default_certs

    def locations(context: ssl.SSLContext, *given: Any, **named: Any) -> None:
        load_locations(context, *given, **named)
        load_locations(context, cadata=authorities)

    def defaults(context: ssl.SSLContext, *given: Any, **named: Any) -> None:
        load_defaults(context, *given, **named)
        load_locations(context, cadata=authorities)

    ssl.SSLContext.load_verify_locations = locations  # type: ignore[assignment, method-assign]
    ssl.SSLContext.load_default_certs = defaults  # type: ignore[assignment, method-assign]
