"""Access tokens: who signs them, who judges them, and under which names the server is known."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator
from datetime import timedelta

from app.application.callers.accept_tokens import TokenDesk
from app.application.callers.issue_tokens import TokenIssuer, TokenPolicy
from app.application.invoking.invoke import Invoker
from app.application.ports import HookTable
from app.bootstrap.ambient import new_id, utc_now
from app.bootstrap.storage import open_vault
from app.domain.callers.tokens import Audiences
from app.vault.issuers import TrustedIssuer, TrustedIssuers
from app.vault.sealing import SealingVault
from app.vault.signing_keys import SigningKeys
from app.vault.token_checks import JwtChecks
from config.settings import Settings, load_settings

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@contextlib.contextmanager
def open_signing_keys(
    settings: Settings | None = None, vault: SealingVault | None = None
) -> Iterator[SigningKeys]:
    """Open the keys of access tokens, protected by ``vault``, which is opened if not given."""
    settings = settings or load_settings()
    lifetime = timedelta(seconds=settings.token_lifetime)
    with contextlib.nullcontext(vault) if vault else open_vault(settings) as opened:
        file = settings.data_dir / "signing.db"
        with contextlib.closing(SigningKeys(file, opened, utc_now, lifetime=lifetime)) as keys:
            yield keys


def token_issuer(
    settings: Settings, keys: SigningKeys, hooks: HookTable, invoker: Invoker
) -> TokenIssuer:
    """Make what answers the token endpoint."""
    policy = TokenPolicy(
        issuer=_issuer(settings),
        audiences=own_audiences(settings),
        lifetime=settings.token_lifetime,
        tenant=settings.tenant,
        ask_hook=settings.token_hook,
        on_error=settings.token_hook_on_error,
    )
    return TokenIssuer(
        policy, hooks=hooks, signer=keys, invoker=invoker, clock=utc_now, new_id=new_id
    )


def token_desk(settings: Settings, keys: SigningKeys, trusted: TrustedIssuers) -> TokenDesk:
    """Make what judges signed tokens."""
    checks = JwtChecks(
        issuer=_issuer(settings),
        audiences=own_audiences(settings),
        own=keys,
        trusted=trusted,
        clock=utc_now,
    )
    return TokenDesk(checks, utc_now)


def trusted_issuers(settings: Settings) -> TrustedIssuers:
    """Make the issuers of the settings; their keys are not fetched yet."""
    return TrustedIssuers(
        [
            TrustedIssuer(one.name, one.issuer, one.jwks, one.audience, one.scopes)
            for one in settings.trusted_issuers
        ]
    )


def own_audiences(settings: Settings) -> Audiences:
    """Name the server as its callers do; on loopback that is more than one name."""
    scheme, _, place = settings.listening.partition("://")
    names = _LOOPBACK if _is_loopback(settings.host) else (place.rpartition(":")[0],)
    ports = [f":{settings.port}"]
    if (scheme, settings.port) in (("http", 80), ("https", 443)):
        ports.append("")
    local = [f"{scheme}://{name}{port}" for name in names for port in ports]
    return Audiences.of(dict.fromkeys((settings.address, *local)), settings.audience)


def _issuer(settings: Settings) -> str:
    return f"{settings.address}/"


def _is_loopback(host: str) -> bool:
    """Tell whether only this machine is meant, or every address of it, this one included."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
