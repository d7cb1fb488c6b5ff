"""Write the note a new user is welcomed with, and a log line that gives nobody's address away.

The trigger does not wait: the result is not used, a raised error has the run tried again later.
Delivering the note needs a network, which hooks do not have yet; until then the log shows that it
would have been sent.
"""

NOTES = {
    "de": "Willkommen, {name}! Schön, dass Sie da sind.",
    "en": "Welcome, {name}! Good to have you here.",
    "fr": "Bienvenue, {name} ! Ravis de vous compter parmi nous.",
}


def hook(user, context):
    address = user.get("email")
    if not address:
        context.log.warning("no welcome note for user %s: no mail address", user.get("id"))
        return None

    language = (context.get("requestLanguage") or "en").lower().partition("-")[0]
    if language not in NOTES:
        language = "en"
    note = NOTES[language].format(name=user.get("username") or "friend")

    context.log.info("welcome note (%s) ready for %s", language, masked(address))
    return {"note": note}


def masked(address):
    """Keep the first letter and the domain: enough to recognise an address, not to write to it."""
    mailbox, _, domain = address.rpartition("@")
    return f"{mailbox[:1]}***@{domain}"
