"""``/api/v2/hooks/{id}/secrets``: write-only values, all of a request or none."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.responses import Response

from app.domain.hooks.secrets import MASK
from app.web.management.bodies import read_names, read_secrets
from app.web.management.exchange import (
    BASE,
    ManagementEndpoint,
    ManagementRequest,
    answer,
    no_content,
)
from app.web.management.hooks import HOOK, find_hook
from app.web.management.operations import POSITION, failures, operation
from app.web.protocol.endpoints import FORM, JSON, Answered

_log = logging.getLogger("hookledger.web")


async def list_secrets(request: ManagementRequest) -> Response:
    """Answer the mask for each name; to the Auth0 Deploy CLI it means "unchanged"."""
    return answer(dict.fromkeys(sorted(find_hook(request).secrets), MASK))


async def add_secrets(request: ManagementRequest) -> Response:
    """Set secrets that are new."""
    values = read_secrets(request.body)
    meta = request.meta(_doubt(values, request.path["id"]))
    position = await request.services.writer.add_secrets(request.path["id"], values, meta)
    return answer({}, 201, position)


async def change_secrets(request: ManagementRequest) -> Response:
    """Set secrets that exist."""
    values = read_secrets(request.body)
    meta = request.meta(_doubt(values, request.path["id"]))
    position = await request.services.writer.change_secrets(request.path["id"], values, meta)
    return answer({}, 201, position)


async def remove_secrets(request: ManagementRequest) -> Response:
    """Remove the secrets that the body names."""
    names = read_names(request.body)
    writer = request.services.writer
    return no_content(await writer.remove_secrets(request.path["id"], names, request.meta()))


def _doubt(values: Mapping[str, str], hook_id: str) -> str | None:
    """Flag values that are the mask: an export was imported where its secrets never were.

    They are stored, as Auth0 did, because the Deploy CLI would stop half-way at a refusal.
    """
    masked = sorted(name for name, value in values.items() if value == MASK)
    if not masked:
        return None
    _log.warning("mask_stored_as_secret", extra={"hook": hook_id, "names": masked})
    return f"{', '.join(masked)}: the value is {MASK}, the mask of an export; set the real one"


_SECRETS = f"{BASE}/hooks/{{id}}/secrets"

ENDPOINTS = (
    ManagementEndpoint(
        operation(
            id="listManagedSecrets",
            method="GET",
            path=_SECRETS,
            summary="List a hook's secrets by name",
            scope="read:hooks",
            parameters=(HOOK,),
            answers={
                200: Answered("The mask by name.", {JSON: "MaskedSecrets"}, POSITION),
                **failures(404),
            },
        ),
        list_secrets,
    ),
    ManagementEndpoint(
        operation(
            id="addManagedSecrets",
            method="POST",
            path=_SECRETS,
            summary="Add secrets to a hook",
            description="All of them, or none if one exists already.",
            scope="update:hooks",
            repeatable=True,
            other_scopes=("create:hooks",),
            parameters=(HOOK,),
            body="SecretValues",
            body_required=True,
            body_types=(JSON, FORM),
            answers={
                201: Answered("They are set.", {JSON: "Nothing"}, POSITION),
                **failures(404, 409, 413, 422),
            },
        ),
        add_secrets,
    ),
    ManagementEndpoint(
        operation(
            id="updateManagedSecrets",
            method="PATCH",
            path=_SECRETS,
            summary="Change secrets of a hook",
            description="All of them, or none if one does not exist; others stay.",
            scope="update:hooks",
            repeatable=True,
            parameters=(HOOK,),
            body="SecretValues",
            body_required=True,
            body_types=(JSON, FORM),
            answers={
                201: Answered("They are set.", {JSON: "Nothing"}, POSITION),
                **failures(404, 409, 413, 422),
            },
        ),
        change_secrets,
    ),
    ManagementEndpoint(
        operation(
            id="deleteManagedSecrets",
            method="DELETE",
            path=_SECRETS,
            summary="Remove secrets of a hook",
            description="All of them, or none if one does not exist. The values are destroyed.",
            scope="delete:hooks",
            repeatable=True,
            other_scopes=("update:hooks",),
            parameters=(HOOK,),
            body="SecretNames",
            body_required=True,
            answers={
                204: Answered("They are gone.", headers=POSITION),
                **failures(404, 409, 413, 422),
            },
        ),
        remove_secrets,
    ),
)
