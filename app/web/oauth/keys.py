"""Public keys of this server, for everybody."""

from __future__ import annotations

from starlette.responses import Response

from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer


async def show_age_key(inquiry: Inquiry) -> Response:
    """Answer to whom secrets are sealed."""
    recipient = await inquiry.services.read(inquiry.services.recipient)
    return json_answer({"recipient": recipient})


ENDPOINTS = (
    Endpoint(
        Operation(
            id="showAgeKey",
            method="GET",
            path="/v1/keys/age",
            summary="Show the public key to seal secrets with",
            description="A recipient of age (X25519), for `hookledger secrets seal`.",
            group="Server",
            scope=None,
            answers={200: Answered("The recipient.", {JSON: "AgeKey"})},
            problems=("not-found",),
        ),
        show_age_key,
    ),
)
