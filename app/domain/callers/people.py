"""People at the dashboard: who they are, what their role lets them do, and their sessions."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from app.domain.callers.client import SCOPES
from app.domain.errors import Forbidden


class Role(enum.StrEnum):
    """What somebody may do, in one word; each includes the one before."""

    VIEWER = "viewer"
    """Sees everything there is to see, and changes nothing."""
    OPERATOR = "operator"
    """Also stops and starts hooks, writes secrets, commits, runs drafts, and steers sources."""
    ADMIN = "admin"
    """Also creates and deletes hooks; holds every scope."""


_VIEWER = frozenset(scope for scope in SCOPES if scope.startswith("read:"))
_OPERATOR = _VIEWER | {
    "commit:hooks",
    "control:sync",
    "plan:sync",
    "run:hooks",
    "update:hooks",
    "update:sync",
}

ROLE_SCOPES: Mapping[Role, frozenset[str]] = MappingProxyType(
    {Role.VIEWER: _VIEWER, Role.OPERATOR: _OPERATOR, Role.ADMIN: frozenset(SCOPES)}
)
"""What each role amounts to in scopes, which are what endpoints ask for."""

Way = Literal["link", "client", "openid"]
"""How somebody was let in."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever is at the dashboard, as what let them in says."""

    actor: str
    """As events name them: ``person:<subject>``, or ``client:<id>`` for a client's own."""
    name: str
    """As the dashboard calls them."""
    way: Way
    scopes: frozenset[str]
    role: Role | None = None
    """None for a client, which has just its scopes."""
    client_id: str | None = None
    """The client whose secret let them in: with it the session ends."""


@dataclass(frozen=True, slots=True)
class Session:
    """A time at the dashboard; its token is known to the browser alone."""

    id: str
    """A ULID: names the session without opening it."""
    person: Person
    began_at: datetime
    seen_at: datetime
    """Some moment of the last minute in which it was used."""
    ends_at: datetime
    """When it ends, however much it is used."""
    agent: str
    """What the browser says it is."""
    address: str


LOCAL = "local|"
"""Stands before the subject of whoever was let in by a link from the command line."""

_MAX_SUBJECT = 200


def local_person(user: str, role: Role) -> Person:
    """Name the person to whom this machine's command line gave a link."""
    return Person(f"person:{LOCAL}{user}", user, "link", ROLE_SCOPES[role], role)


def person_of_claims(
    claims: Mapping[str, Any], *, subject_claim: str, role_claim: str, roles: Mapping[str, Role]
) -> Person:
    """Name the person whom an identity provider's claims are about, in the highest role they have.

    ``role_claim`` may be a path with dots (``realm_access.roles``); a claim whose own name has dots
    is found too. Raises ``Forbidden`` for somebody without a subject or a role.
    """
    subject = claims.get(subject_claim)
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT:
        raise Forbidden(f"The identity provider did not say who you are (claim `{subject_claim}`).")
    if not subject.isprintable() or subject.startswith(LOCAL):
        raise Forbidden("The identity provider names you in a way that cannot be used here.")
    if subject_claim == "email" and claims.get("email_verified") is not True:
        raise Forbidden("The identity provider has not verified your address of electronic mail.")
    held = {roles[value] for value in _values(claims, role_claim) if value in roles}
    role = next((one for one in reversed(Role) if one in held), None)
    if role is None:
        raise Forbidden(
            f"`{subject}` has no role here. Somebody who administers the identity provider must "
            f"give you one of: {', '.join(roles)} (claim `{role_claim}`)."
        )
    shown = next((claims[k] for k in ("name", "email") if isinstance(claims.get(k), str)), subject)
    return Person(f"person:{subject}", shown[:_MAX_SUBJECT], "openid", ROLE_SCOPES[role], role)


def _values(claims: Mapping[str, Any], path: str) -> list[str]:
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    listed = found if isinstance(found, list) else [found]
    return [value for value in listed if isinstance(value, str)]
