"""Signing in to the dashboard: by a link that opens once, as a client, or by OpenID Connect.

Whatever opens something (a session's token, a link, an attempt's state) has 256 random bits and is
stored as a hash. A token is made anew at every sign-in, so that nobody can choose another's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import msgspec

from app.application.callers.manage_clients import authenticate_secret, hash_credential
from app.application.callers.session_ports import IdentityProvider, SessionStore, SignInAttempt
from app.application.ports import Clock
from app.application.views import ActiveTable
from app.domain.callers.people import Person, Role, Session, person_of_claims
from app.domain.errors import NotFound, Unauthenticated

LINK_MINUTES = 15
_ATTEMPT = timedelta(minutes=10)
_NOTED = timedelta(minutes=1)
"""How old ``Session.seen_at`` may grow before it is written again."""
_LINK, _OPENID = "link", "openid"
_MAX_AGENT = 200


@dataclass(frozen=True, slots=True)
class Device:
    """Where somebody signs in from."""

    agent: str
    address: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that has just begun."""

    token: str = field(repr=False)
    session: Session
    onward: str = "/"
    """The page that was asked for before."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Somebody who is sent to the identity provider."""

    address: str
    browser: str = field(repr=False)
    """What this browser alone must bring back."""


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """How long sessions last."""

    idle: timedelta
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class OpenIdPolicy:
    """What of an identity provider's claims counts here."""

    name: str
    """As the button says it."""
    subject_claim: str
    role_claim: str
    roles: Mapping[str, Role]


class _Attempt(msgspec.Struct, frozen=True):
    nonce: str
    verifier: str
    browser_hash: str
    onward: str


class SignIn:
    """The use case; one for the server. Methods that are not async block: call them in a thread."""

    def __init__(
        self,
        store: SessionStore,
        policy: SessionPolicy,
        *,
        clock: Clock,
        new_id: Callable[[], str],
        provider: IdentityProvider | None = None,
        openid: OpenIdPolicy | None = None,
    ) -> None:
        self.openid = openid
        """None if nobody can sign in with a provider."""
        self._store = store
        self._policy = policy
        self._clock = clock
        self._new_id = new_id
        self._provider = provider

    @property
    def lifetime(self) -> timedelta:
        """How long a session lasts at most."""
        return self._policy.lifetime

    def offer_link(self, person: Person) -> str:
        """Make the secret part of a link that lets ``person`` in once, soon."""
        token = secrets.token_urlsafe(32)
        ends_at = self._clock() + timedelta(minutes=LINK_MINUTES)
        self._store.offer(_LINK, hash_credential(token), msgspec.json.encode(person), ends_at)
        return token

    def by_link(self, token: str, device: Device) -> Begun:
        """Begin a session; raise ``Unauthenticated`` for a link that opens nothing any more."""
        content = self._store.take(_LINK, hash_credential(token), self._clock())
        if content is None:
            raise Unauthenticated(
                f"This link opens nothing any more: it works once, for {LINK_MINUTES} minutes. "
                "Make a new one with `hookledger sessions link`."
            )
        return self._begin(msgspec.json.decode(content, type=Person), device)

    def by_client(self, table: ActiveTable, client_id: str, secret: str, device: Device) -> Begun:
        """Begin a session with the scopes of a client; raise ``Unauthenticated``."""
        try:
            client = authenticate_secret(table, client_id, secret)
        except Unauthenticated:
            raise Unauthenticated(
                "There is no client with this id and secret. `hookledger clients list` shows the "
                "ids; a secret is shown only when its client is made."
            ) from None
        name = f"client:{client.id}"
        person = Person(name, client.name, "client", client.scopes, client_id=client.id)
        return self._begin(person, device)

    async def depart(self, onward: str) -> Departure:
        """Send somebody to the identity provider; they will want ``onward`` when they are back.

        Raises ``NotFound`` without a provider, ``Transient`` if it cannot be asked.
        """
        if self._provider is None:
            raise NotFound("This server has no identity provider (setting `dashboard.openid`).")
        state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
        address = await self._provider.address(SignInAttempt(state, nonce, verifier))
        attempt = _Attempt(nonce, verifier, hash_credential(browser), onward)
        content, ends_at = msgspec.json.encode(attempt), self._clock() + _ATTEMPT
        self._store.offer(_OPENID, hash_credential(state), content, ends_at)
        return Departure(address, browser)

    async def by_openid(self, state: str, code: str, browser: str, device: Device) -> Begun:
        """Begin a session for whoever comes back from the identity provider.

        Raises ``Unauthenticated`` unless it is the browser that was sent there, or if the provider
        does not vouch for anybody; ``Forbidden`` for somebody without a role.
        """
        content = self._store.take(_OPENID, hash_credential(state), self._clock())
        attempt = msgspec.json.decode(content, type=_Attempt) if content is not None else None
        ours = attempt is not None and secrets.compare_digest(
            attempt.browser_hash, hash_credential(browser)
        )
        if self._provider is None or self.openid is None or attempt is None or not ours:
            raise Unauthenticated(
                "This sign-in was not begun in this browser, or it took too long. Begin again."
            )
        asked = SignInAttempt(state, attempt.nonce, attempt.verifier)
        person = person_of_claims(
            await self._provider.claims(asked, code),
            subject_claim=self.openid.subject_claim,
            role_claim=self.openid.role_claim,
            roles=self.openid.roles,
        )
        return self._begin(person, device, attempt.onward)

    def resume(self, table: ActiveTable, token: str) -> Session | None:
        """Return the session that a browser's token opens, if it has not ended.

        A session of a client holds what the client holds by now, and ends with it.
        """
        session, now = self._store.find(hash_credential(token)), self._clock()
        if session is None or now >= session.ends_at or now - session.seen_at >= self._policy.idle:
            return None
        if now - session.seen_at >= _NOTED:
            self._store.touch(session.id, now)
        return _as_of_now(session, table)

    def end(self, session_id: str) -> None:
        """End a session at once; raise ``NotFound``."""
        if not self._store.end(session_id):
            raise NotFound("There is no such session any more.")

    def sessions(self) -> Sequence[Session]:
        """Return those that have not ended, the one used last first."""
        self._sweep()
        return self._store.list()

    def _begin(self, person: Person, device: Device, onward: str = "/") -> Begun:
        self._sweep()
        now, token = self._clock(), secrets.token_urlsafe(32)
        session = Session(
            id=self._new_id(),
            person=person,
            began_at=now,
            seen_at=now,
            ends_at=now + self._policy.lifetime,
            agent=device.agent[:_MAX_AGENT],
            address=device.address,
        )
        self._store.begin(hash_credential(token), session)
        return Begun(token, session, onward)

    def _sweep(self) -> None:
        now = self._clock()
        self._store.sweep(now, now - self._policy.idle)


def _as_of_now(session: Session, table: ActiveTable) -> Session | None:
    if session.person.client_id is None:
        return session
    client = table.clients.get(session.person.client_id)
    if client is None or client.revoked:
        return None
    return replace(session, person=replace(session.person, scopes=client.scopes))
