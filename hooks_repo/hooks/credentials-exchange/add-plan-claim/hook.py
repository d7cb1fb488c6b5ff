"""Tell APIs which plan a client is on, and keep paid scopes from clients of the free plan."""

from hookledger import InvalidScopeError

# Only claims named by a URL reach the token; use a domain of your own.
PLAN_CLAIM = "https://hookledger.example/plan"

PAID_SCOPES = {"export:reports", "create:webhooks"}


def hook(client, scope, audience, context):
    plan = (client.get("metadata") or {}).get("plan") or "free"

    granted = list(scope or [])
    if plan == "free":
        granted = [entry for entry in granted if entry not in PAID_SCOPES]
        # A token without any of the scopes asked for would only fail later and less clearly.
        if scope and not granted:
            raise InvalidScopeError(f"the free plan does not include {', '.join(scope)}")
        if len(granted) < len(scope or []):
            context.log.info("removed paid scopes from client %s", client.get("id"))

    # A result without `scope` would clear every scope of the token.
    return {"scope": granted, PLAN_CLAIM: plan}
