"""Who calls, by bearer token (RFC 6750), and whether that client may.

A token without a dot is one of ours from ``clients create``, looked up by its hash; any other is a
signed one. What judges those is ambient (``signed_tokens``), set for each request at the edge, so
that an endpoint says ``admit(table, headers, scope)`` and no more.
"""

from __future__ import annotations

from contextvars import ContextVar

from app.application.callers.accept_tokens import TokenDesk
from app.application.callers.manage_clients import authenticate
from app.application.views import ActiveTable, ClientRow
from app.domain.errors import Unauthenticated
from app.web.protocol.errors import MissingScope, MissingToken
from app.web.protocol.limits import Headers, only

_SCHEME = b"bearer "

signed_tokens: ContextVar[TokenDesk | None] = ContextVar("signed_tokens", default=None)


def admit(table: ActiveTable, headers: Headers, *scopes: str) -> ClientRow:
    """Return the calling client.

    Any of ``scopes`` will do. Raises ``MissingToken`` or ``Unauthenticated`` if the client is not
    known, ``MissingScope`` if it may not, ``Rejected`` if two tokens are presented, and
    ``Transient`` while the keys of a trusted issuer are not known.
    """
    client = caller(table, headers)
    if client.scopes.isdisjoint(scopes):
        raise MissingScope(*scopes)
    return client


def caller(table: ActiveTable, headers: Headers) -> ClientRow:
    """Return the calling client, whatever it may; raises as ``admit`` does."""
    token = _required_token(headers)
    desk = signed_tokens.get() if "." in token else None
    return authenticate(table, token) if desk is None else desk.client_of(table, token)


def bearer_token(headers: Headers) -> str | None:
    """Return the token that is presented, if any; raise ``Rejected`` for two of them."""
    value = only(headers, b"authorization")
    if value is None or value[: len(_SCHEME)].lower() != _SCHEME:
        return None
    # Any byte is a character of Latin-1: what is no token of ours fails by its hash.
    return value[len(_SCHEME) :].strip().decode("latin-1")


def _required_token(headers: Headers) -> str:
    token = bearer_token(headers)
    if token is not None:
        return token
    if only(headers, b"authorization") is None:
        raise MissingToken
    raise Unauthenticated("The header `Authorization` must read `Bearer <access token>`.")
