"""Issuers whose tokens are accepted, and their public keys (JWK Set, RFC 7517).

Keys are fetched in the background: at the start, every ten minutes, and when a token names one that
is not known, then once a minute at most. No request waits for another server, and no flood of bad
tokens becomes a flood of fetches.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from app.domain.callers.client import SCOPES
from app.domain.errors import Transient, Unauthenticated

_log = logging.getLogger("hookledger.vault")

REFRESH_SECONDS = 600.0
MIN_SECONDS = 60.0
"""Least time between two fetches from one issuer."""
_FETCH_SECONDS = 5.0
_MAX_BYTES = 256 * 1024
_MIN_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An authorization server whose tokens are accepted."""

    name: str
    """Stands before the subject wherever a caller is named."""
    issuer: str
    """The claim ``iss``, to the letter."""
    jwks: str
    """An https address, or a file."""
    audience: tuple[str, ...]
    """The claim ``aud`` must hold one of these."""
    scopes: Mapping[str, tuple[str, ...]]
    """From their scopes to ours; empty: the same names."""

    def scopes_for(self, given: Collection[str]) -> frozenset[str]:
        """Translate what a token grants."""
        if not self.scopes:
            return frozenset(given) & SCOPES.keys()
        return frozenset(ours for theirs in given for ours in self.scopes.get(theirs, ()))


class IssuerKeys:
    """The keys of one issuer, as last fetched."""

    def __init__(self, trusted: TrustedIssuer, ask: Callable[[], None]) -> None:
        self.trusted = trusted
        self.tried_at = float("-inf")
        self.wanted = True
        self._keys: Mapping[str, Key] | None = None
        self._ask = ask

    def key(self, kid: str) -> Key:
        """Return a key; raise ``Transient`` if it may be known soon, else ``Unauthenticated``."""
        found = (self._keys or {}).get(kid)
        if found is not None:
            return found
        wait = self.tried_at + MIN_SECONDS - time.monotonic()
        if wait <= 0:
            self.wanted = True
            self._ask()
        if wait <= 0 or self._keys is None:
            raise Transient(
                f"The keys of the issuer `{self.trusted.name}` are being fetched; try again.",
                retry_after=max(1.0, wait),
            )
        raise Unauthenticated("The access token is not valid: its issuer has no such key.")

    def due(self) -> bool:
        """Tell whether to fetch now."""
        age = time.monotonic() - self.tried_at
        return age >= (MIN_SECONDS if self.wanted or self._keys is None else REFRESH_SECONDS)

    async def fetch(self) -> None:
        """Fetch the keys; on failure those that are known stay, and the log says why."""
        self.tried_at, self.wanted = time.monotonic(), False
        try:
            self._keys = keys_of(await _read(self.trusted.jwks))
        except (httpx.HTTPError, OSError, ValueError) as error:
            _log.warning(
                "issuer_keys_not_fetched",
                extra={"issuer": self.trusted.name, "reason": f"{type(error).__name__}: {error}"},
            )


class TrustedIssuers:
    """All of them; ``run`` belongs to the event loop that verifies."""

    def __init__(self, trusted: Sequence[TrustedIssuer]) -> None:
        self._asked = asyncio.Event()
        self._by_issuer = {one.issuer: IssuerKeys(one, self._asked.set) for one in trusted}

    def find(self, issuer: str) -> IssuerKeys | None:
        """Look an issuer up by the claim ``iss``."""
        return self._by_issuer.get(issuer)

    async def refresh(self) -> None:
        """Fetch what is due."""
        due = [keys for keys in self._by_issuer.values() if keys.due()]
        await asyncio.gather(*(keys.fetch() for keys in due))

    async def run(self) -> None:
        """Keep the keys fresh until cancelled."""
        while True:
            self._asked.clear()
            await self.refresh()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), MIN_SECONDS)


def keys_of(document: bytes) -> Mapping[str, Key]:
    """Read a JWK Set; raise ``ValueError`` if it is none.

    Keys of no use are left out: symmetric ones, those for encryption, short ones.
    """
    parsed = orjson.loads(document)
    entries = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it is no JWK Set")  # noqa: TRY004 (bad data, not a bad call)
    found = {}
    for entry in entries:
        key = _usable(entry)
        if key is not None:
            found[str(entry["kid"])] = key
    return found


def _usable(entry: Any) -> Key | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        return None
    if entry.get("kty") not in ("RSA", "EC", "OKP") or entry.get("use", "sig") != "sig":
        return None
    try:
        key = import_key(entry)
        bits = getattr(key.public_key, "key_size", _MIN_RSA_BITS)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return None if entry["kty"] == "RSA" and bits < _MIN_RSA_BITS else key


async def _read(place: str) -> bytes:
    if not place.startswith(("https://", "http://")):
        return await asyncio.to_thread(Path(place).read_bytes)
    async with (
        httpx.AsyncClient(timeout=_FETCH_SECONDS, follow_redirects=False) as client,
        asyncio.timeout(2 * _FETCH_SECONDS),
        client.stream("GET", place, headers={"accept": "application/json"}) as answer,
    ):
        answer.raise_for_status()
        content = b""
        async for chunk in answer.aiter_bytes():
            content += chunk
            if len(content) > _MAX_BYTES:
                raise ValueError(f"the answer has more than {_MAX_BYTES} bytes")
        return content
