"""Refuse sign-ups with a throw-away mail address; note the normalised address of all others."""

from hookledger import PreUserRegistrationError

# Subdomains count too: `x.mailinator.com` is refused like `mailinator.com`.
DISPOSABLE_DOMAINS = {
    "10minutemail.com",
    "discard.email",
    "guerrillamail.com",
    "mailinator.com",
    "sharklasers.com",
    "temp-mail.org",
    "trashmail.com",
    "yopmail.com",
}

REFUSALS = {
    "de": "Bitte melden Sie sich mit einer dauerhaften E-Mail-Adresse an.",
    "en": "Please sign up with a permanent email address.",
    "fr": "Veuillez vous inscrire avec une adresse e-mail permanente.",
}


def hook(user, context):
    # Whoever signs up by phone has no address to judge; returning nothing lets the sign-up pass.
    address = user.get("email")
    if not address:
        return None

    mailbox, _, domain = address.strip().lower().rpartition("@")
    if is_disposable(domain):
        # The first text is for the log, the second for the person at the form.
        raise PreUserRegistrationError(
            f"{domain} hands out throw-away addresses", refusal(context.get("renderLanguage"))
        )

    # `a+shop@example.com` reaches the same person as `a@example.com`: keep what they share.
    normalised = f"{mailbox.partition('+')[0]}@{domain}"
    # The metadata that came with the sign-up is repeated, so that a caller who replaces instead of
    # merging loses nothing.
    app_metadata = {**(user.get("app_metadata") or {}), "normalised_email": normalised}
    return {"user": {"app_metadata": app_metadata}}


def is_disposable(domain):
    labels = domain.split(".")
    return any(".".join(labels[start:]) in DISPOSABLE_DOMAINS for start in range(len(labels)))


def refusal(language):
    """Pick the text for a tag like `de` or `de-AT`; English when there is none."""
    return REFUSALS.get((language or "en").lower().partition("-")[0], REFUSALS["en"])
