"""What a new hook begins with, for each trigger: it runs as it is, and shows the way."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.triggers.contracts import TriggerContract

_BODIES: Mapping[str, str] = {
    "pre-user-registration": """\
  // Refuse a sign-up:
  //   return cb(new PreUserRegistrationError("shown in logs", "shown to the user"));
  // Or let it pass, with metadata for the new user:
  cb(null, { user: { app_metadata: { source: "hook" } } });""",
    "post-user-registration": """\
  // The user exists already; nothing that is returned here changes it.
  console.log("welcome", user.email);
  cb(null, {});""",
    "post-change-password": """\
  // The password is changed already; nothing that is returned here changes it.
  console.log("password changed", user.email);
  cb(null, {});""",
    "credentials-exchange": """\
  // Claims of your own need a name that is an address of yours; scopes may be taken away.
  const accessToken = { scope };
  accessToken["https://example.com/claims/plan"] = client.metadata && client.metadata.plan;
  cb(null, accessToken);""",
    "send-phone-message": """\
  // Hand the text over to whoever sends it; secrets hold what lets you in there.
  console.log("to", recipient);
  cb(null, {});""",
}
_ANY = """\
  // What is returned here is what the caller gets.
  cb(null, {});"""


_PYTHON_BODIES: Mapping[str, str] = {
    "pre-user-registration": """\
    # Refuse a sign-up:
    #   from hookledger import PreUserRegistrationError
    #   raise PreUserRegistrationError("shown in logs", "shown to the user")
    # Or let it pass, with metadata for the new user:
    return {"user": {"app_metadata": {"source": "hook"}}}""",
    "post-user-registration": """\
    # The user exists already; nothing that is returned here changes it.
    context.log.info("welcome %s", user.get("email"))""",
    "post-change-password": """\
    # The password is changed already; nothing that is returned here changes it.
    context.log.info("password changed for %s", user.get("email"))""",
    "credentials-exchange": """\
    # Claims of your own need a name that is an address of yours; scopes may be taken away.
    plan = (client.get("metadata") or {}).get("plan")
    return {"scope": scope, "https://example.com/claims/plan": plan}""",
    "send-phone-message": """\
    # Hand the text over to whoever sends it; secrets hold what lets you in there.
    context.log.info("to %s", recipient)""",
}
_ANY_PYTHON = """\
    # What is returned here is what the caller gets.
    return {}"""


def starter(contract: TriggerContract, language: str) -> str:
    """Return a script (`python` or `node`) that the trigger can run."""
    if language == "python":
        body = _PYTHON_BODIES.get(contract.id, _ANY_PYTHON)
        return f"def hook({', '.join(contract.parameters)}):\n{body}\n"
    parameters = ", ".join((*contract.parameters, "cb"))
    body = _BODIES.get(contract.id, _ANY)
    return f"module.exports = function ({parameters}) {{\n{body}\n}};\n"
