"""What of a hook's result takes effect, per trigger; everything else is dropped.

Enforced here, outside the worker, because the worker's process belongs to the hook.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_FORBIDDEN_CLAIM_HOSTS = ("auth0.com", "webtask.io", "webtask.run")
"""Auth0 drops claims named by URLs of these hosts and their subdomains (its docs say so)."""


def no_effects(payload: Mapping[str, Any], result: object) -> dict[str, Any]:  # noqa: ARG001
    """Honour nothing: the result is only logged or shown."""
    return {}


def token_effects(payload: Mapping[str, Any], result: object) -> dict[str, Any]:
    """Honour ``scope`` and claims named by http(s) URLs, for credentials-exchange.

    A result without ``scope`` clears the scopes (Auth0's documented behaviour). No result at all
    leaves them as they were: Auth0 never said, and an empty answer should not take rights away.
    """
    if result is None:
        return {"scope": list(payload.get("scope") or []), "claims": {}}
    if not isinstance(result, dict):
        return {"scope": [], "claims": {}}
    scope = result.get("scope")
    scopes = [entry for entry in scope if isinstance(entry, str)] if isinstance(scope, list) else []
    claims = {name: value for name, value in result.items() if is_claim_name(name)}
    return {"scope": scopes, "claims": claims}


def registration_effects(payload: Mapping[str, Any], result: object) -> dict[str, Any]:  # noqa: ARG001
    """Honour ``user.user_metadata`` and ``user.app_metadata``, for pre-user-registration.

    Keys that contain ``.`` or begin with ``$`` cannot be stored by Auth0 and are dropped.
    """
    user = result.get("user") if isinstance(result, dict) else None
    if not isinstance(user, dict):
        return {}
    kept = {
        member: _storable(user[member])
        for member in ("user_metadata", "app_metadata")
        if isinstance(user.get(member), dict)
    }
    return {"user": kept} if kept else {}


def password_effects(payload: Mapping[str, Any], result: object) -> dict[str, Any]:
    """Honour ``accessToken`` (scope and claims) and ``idToken`` (claims), for password-exchange."""
    members = result if isinstance(result, Mapping) else {}
    access, identity = members.get("accessToken"), members.get("idToken")
    return {
        "accessToken": token_effects(payload, access),
        "idToken": {"claims": token_effects({}, identity)["claims"]},
    }


def event_effects(payload: Mapping[str, Any], result: object) -> dict[str, Any]:  # noqa: ARG001
    """Honour all members of the result, for custom triggers: their schema says what may be."""
    return dict(result) if isinstance(result, Mapping) else {}


def merge_members(former: Mapping[str, Any], latter: Mapping[str, Any]) -> dict[str, Any]:
    """Join effects of two hooks of a chain; of one name, the latter wins."""
    return {**former, **latter}


def merge_tokens(former: Mapping[str, Any], latter: Mapping[str, Any]) -> dict[str, Any]:
    """Join claims; the scope is the latter's, who has seen the former's."""
    return {"scope": latter["scope"], "claims": {**former.get("claims", {}), **latter["claims"]}}


def merge_registration(former: Mapping[str, Any], latter: Mapping[str, Any]) -> dict[str, Any]:
    """Join metadata key by key."""
    before, after = former.get("user", {}), latter.get("user", {})
    user = {
        member: {**before.get(member, {}), **after.get(member, {})}
        for member in ("user_metadata", "app_metadata")
        if member in before or member in after
    }
    return {"user": user} if user else {}


def carry_nothing(payload: Mapping[str, Any], effects: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001
    """Give every hook of a chain the same payload."""
    return payload


def carry_scope(payload: Mapping[str, Any], effects: Mapping[str, Any]) -> Mapping[str, Any]:
    """Show the next hook the scope as it is by now, and the claims so far in its context."""
    context = payload.get("context")
    context = dict(context) if isinstance(context, Mapping) else {}
    return {
        **payload,
        "scope": effects["scope"],
        "context": {**context, "claims": effects["claims"]},
    }


def carry_metadata(payload: Mapping[str, Any], effects: Mapping[str, Any]) -> Mapping[str, Any]:
    """Show the next hook the user as the former ones would have it stored."""
    user = dict(payload["user"])
    for member, added in effects.get("user", {}).items():
        submitted = user.get(member)
        user[member] = {**(submitted if isinstance(submitted, Mapping) else {}), **added}
    return {**payload, "user": user}


def carry_effects(payload: Mapping[str, Any], effects: Mapping[str, Any]) -> Mapping[str, Any]:
    """Show the next hook of a custom trigger the effects so far, in its context."""
    return {**payload, "context": {"effects": effects}}


def is_claim_name(name: object) -> bool:
    """Tell whether a result's key may become an access-token claim."""
    if not isinstance(name, str):
        return False
    try:
        url = urlsplit(name)
        host = (url.hostname or "").rstrip(".")
    except ValueError:
        return False
    if url.scheme not in ("http", "https") or not host:
        return False
    return not any(host == bad or host.endswith("." + bad) for bad in _FORBIDDEN_CLAIM_HOSTS)


def _storable(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if "." not in key and key[:1] != "$"}
