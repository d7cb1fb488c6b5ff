"""The server's way out: what all workers' proxies share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from app.domain.errors import Stalled
from app.runtime.egress.addresses import Network
from app.runtime.egress.bounds import Bounds, Counters
from app.runtime.egress.names import Resolve, Resolver
from app.runtime.egress.policy import Policy
from app.runtime.egress.proxy import Say, WorkerProxy

MOST_OPEN = 256
"""Connections of all workers at a time; each takes two of the server's file descriptors."""

_FOR_EACH = 4
"""Connections that a worker may have until all are taken; more, until half are, so that no few
greedy hooks keep the others from the network."""

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


class Gateway:
    """Makes the proxies; one for the server."""

    def __init__(
        self,
        *,
        opened: Sequence[Network] = (),
        authorities_file: Path | None = None,
        bounds: Bounds | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        """Make a gateway; raise ``Stalled`` if the file of authorities cannot be used.

        ``opened`` are networks that hooks may reach though they are not of the internet;
        ``authorities_file`` holds certificates, as PEM, that hooks trust besides the system's.
        """
        self._opened = tuple(opened)
        self._authorities = _read_authorities(authorities_file)
        self._bounds = bounds or Bounds()
        self._resolver = Resolver()
        self._resolve = resolve or self._resolver
        self.counters = Counters()

    def proxy(self, entries: Iterable[str], say: Say) -> WorkerProxy:
        """Make the proxy of a worker whose hook may reach ``entries``."""
        return WorkerProxy(
            Policy(entries, self._opened),
            self._resolve,
            say,
            bounds=self._bounds,
            counters=self.counters,
            admit=self._has_room,
            authorities=self._authorities,
        )

    def close(self) -> None:
        """Let go of the threads; the proxies are closed with their workers."""
        self._resolver.close()

    def _has_room(self, own: int) -> bool:
        """Tell whether a worker that has ``own`` connections may have another."""
        most = MOST_OPEN if own < _FOR_EACH else MOST_OPEN // 2
        return self.counters.open < most


def _read_authorities(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        text = file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise Stalled(
            f"The certificates in {file} (egress_ca_file) cannot be read: {error}."
        ) from error
    if _CERTIFICATE not in text:
        raise Stalled(f"{file} (egress_ca_file) holds no certificate in PEM form.")
    return text
