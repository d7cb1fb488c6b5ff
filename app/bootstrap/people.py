"""People: how they sign in to the dashboard, by these settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from app.application.callers.sign_in import OpenIdPolicy, SessionPolicy, SignIn
from app.bootstrap.ambient import new_id, user_name, utc_now
from app.bootstrap.storage import open_sessions
from app.domain.callers.people import Role, local_person
from app.domain.errors import Stalled
from app.vault.openid import OpenIdClient, OpenIdProvider
from config.settings import Settings, load_settings
from config.tables import OpenIdSettings


@contextlib.contextmanager
def open_sign_in(settings: Settings | None = None) -> Iterator[SignIn]:
    """Open the sessions; raise ``Stalled`` if the provider's secret cannot be read."""
    settings = settings or load_settings()
    openid, table = settings.dashboard.openid, settings.dashboard
    with open_sessions(settings) as store:
        yield SignIn(
            store,
            SessionPolicy(
                idle=timedelta(seconds=table.session_idle),
                lifetime=timedelta(seconds=table.session_lifetime),
            ),
            clock=utc_now,
            new_id=new_id,
            provider=_provider(openid, settings.address) if openid.issuer else None,
            openid=_policy(openid) if openid.issuer else None,
        )


def login_link(sign_in: SignIn, address: str, role: Role = Role.ADMIN) -> str:
    """Make a link that lets whoever runs this process in, once; its secret reaches no log."""
    return f"{address}/login#{sign_in.offer_link(local_person(user_name(), role))}"


def _policy(openid: OpenIdSettings) -> OpenIdPolicy:
    return OpenIdPolicy(
        name=openid.name,
        subject_claim=openid.subject_claim,
        role_claim=openid.role_claim,
        roles={claim: Role(role) for claim, role in openid.roles.items()},
    )


def _provider(openid: OpenIdSettings, address: str) -> OpenIdProvider:
    client = OpenIdClient(
        issuer=openid.issuer,
        client_id=openid.client_id,
        client_secret=_secret(openid.client_secret_file),
        scopes=openid.scopes,
        redirect=f"{address}/login/openid/return",
    )
    return OpenIdProvider(client, utc_now)


def _secret(file: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Stalled(
            f"The secret of the identity provider cannot be read from {file} "
            f"(setting `dashboard.openid.client_secret_file`): {error}."
        ) from error
