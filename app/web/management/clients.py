"""``/api/v2/clients``: Auth0's applications, of which there are none here.

The Auth0 Deploy CLI asks for them before a dry run of anything, and stops at a 404.
"""

from __future__ import annotations

from starlette.responses import Response

from app.web.management.exchange import BASE, ManagementEndpoint, ManagementRequest, answer
from app.web.management.lists import FIELDS, PAGES, listed
from app.web.management.operations import POSITION, failures, operation
from app.web.protocol.endpoints import JSON, Answered
from app.web.protocol.parameters import flag, text


async def list_clients(request: ManagementRequest) -> Response:
    """Answer that there are none."""
    return answer(listed("clients", (), request.values))


ENDPOINTS = (
    ManagementEndpoint(
        operation(
            id="listAuth0Clients",
            method="GET",
            path=f"{BASE}/clients",
            summary="List Auth0's applications: none",
            description="For the Auth0 Deploy CLI, which asks before a dry run.",
            scope="read:hooks",
            parameters=(
                *PAGES,
                *FIELDS,
                flag("is_global", "Changes nothing."),
                flag("is_first_party", "Changes nothing."),
                text("app_type", "Changes nothing."),
            ),
            answers={200: Answered("None.", {JSON: "Auth0Clients"}, POSITION), **failures()},
        ),
        list_clients,
    ),
)
