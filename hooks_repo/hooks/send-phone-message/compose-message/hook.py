"""Compose the message that carries a one-time code, and refuse numbers that cost a fortune.

It leaves the sending to its caller, who reads the result. To send from here, list the provider's
`host:port` as `network` in the manifest and use `context.http`.
"""

from hookledger import SendPhoneMessageError

# Premium-rate and satellite ranges that toll fraud aims at (ITU-T E.164 and national plans).
PREMIUM_PREFIXES = (
    "+1900",  # North America
    "+3389",  # France
    "+449",  # United Kingdom
    "+49900",  # Germany
    "+881",  # satellite networks
    "+882",  # international networks
    "+883",
    "+979",  # international premium rate
)

TEXTS = {
    "de": "{code} ist Ihr Code für {app}. Geben Sie ihn niemandem weiter.",
    "en": "{code} is your code for {app}. Do not share it with anyone.",
    "fr": "{code} est votre code pour {app}. Ne le communiquez à personne.",
}


def hook(recipient, text, context):
    number = "+" + "".join(filter(str.isdecimal, recipient))
    if not recipient.strip().startswith("+") or len(number) < 8:
        raise SendPhoneMessageError(
            "the recipient is not an international number", "Please check your phone number."
        )
    if number.startswith(PREMIUM_PREFIXES):
        # The end of a number is what identifies a person: it stays out of the log.
        raise SendPhoneMessageError(
            f"{number[:5]}… is a premium-rate number", "We cannot send codes to this number."
        )

    language = context["language"].lower().partition("-")[0]  # `N/A` becomes English
    code = context["code"]
    if context["message_type"] == "voice":
        code = ", ".join(code)  # read out digit by digit
    message = TEXTS.get(language, TEXTS["en"]).format(code=code, app=app_name(context))

    context.log.info("composed %s message to %s…", context["message_type"], number[:5])
    return {"to": number, "channel": context["message_type"], "text": message}


def app_name(context):
    """Name the application that asked, when the caller says which."""
    return (context.get("client") or {}).get("name") or "your account"
