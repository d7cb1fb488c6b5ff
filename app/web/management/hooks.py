"""``/api/v2/hooks``: list, show, create, update and delete hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from app.application.managing.write_hooks import WrittenHook
from app.application.views import HookRow
from app.domain.hooks.hook import HookNotFound
from app.domain.triggers.catalogue import CONTRACTS
from app.web.management.bodies import read_draft, read_patch
from app.web.management.exchange import (
    BASE,
    ManagementEndpoint,
    ManagementRequest,
    answer,
    no_content,
)
from app.web.management.lists import FIELDS, PAGES, chosen, listed
from app.web.management.operations import POSITION, failures, operation
from app.web.protocol.endpoints import FORM, JSON, Answered
from app.web.protocol.parameters import choice, flag, path_parameter

HOOK = path_parameter("id", "Id of the hook (a ULID).")


async def list_hooks(request: ManagementRequest) -> Response:
    """Answer hooks, oldest first."""
    wanted = request.values
    found = [
        shown(hook)
        for _, hook in sorted(request.table.hooks.items())
        if wanted["enabled"] in (None, hook.enabled) and wanted["triggerId"] in (None, hook.trigger)
    ]
    return answer(listed("hooks", found, wanted))


async def show_hook(request: ManagementRequest) -> Response:
    """Answer one hook."""
    return answer(chosen(shown(find_hook(request)), request.values))


async def create_hook(request: ManagementRequest) -> Response:
    """Make a hook that the API owns."""
    draft = read_draft(request.body)
    made = await request.services.writer.create(draft, request.meta())
    return answer(_written(made), 201, made.position)


async def update_hook(request: ManagementRequest) -> Response:
    """Change what the body names."""
    patch = read_patch(request.body)
    changed = await request.services.writer.update(request.path["id"], patch, request.meta())
    return answer(_written(changed), 200, changed.position)


async def delete_hook(request: ManagementRequest) -> Response:
    """Delete a hook and its secrets."""
    return no_content(await request.services.writer.delete(request.path["id"], request.meta()))


def find_hook(request: ManagementRequest) -> HookRow:
    """Return the hook that the path names; raise ``HookNotFound``."""
    found = request.table.hooks.get(request.path["id"])
    if found is None:
        raise HookNotFound
    return found


def shown(hook: HookRow) -> Mapping[str, Any]:
    """Choose what is shown of a hook, in the order of Auth0's GET."""
    return {
        "id": hook.id,
        "name": hook.name,
        "script": hook.script,
        "dependencies": hook.dependencies,
        "enabled": hook.enabled,
        "triggerId": hook.trigger,
    }


def _written(hook: WrittenHook) -> Mapping[str, Any]:
    """Choose the same, in the order of Auth0's POST and PATCH."""
    return {
        "id": hook.id,
        "name": hook.name,
        "script": hook.script,
        "dependencies": hook.dependencies,
        "triggerId": hook.trigger,
        "enabled": hook.enabled,
    }


_HOOKS, _ONE = f"{BASE}/hooks", f"{BASE}/hooks/{{id}}"

ENDPOINTS = (
    ManagementEndpoint(
        operation(
            id="listManagedHooks",
            method="GET",
            path=_HOOKS,
            summary="List hooks, as Auth0 does",
            description="Oldest first; all of them if neither `page` nor `per_page` is given.",
            scope="read:hooks",
            parameters=(
                *PAGES,
                *FIELDS,
                flag("enabled", "Only those that their trigger runs, or only the others."),
                choice("triggerId", "Only of this trigger.", tuple(CONTRACTS)),
            ),
            answers={200: Answered("Hooks.", {JSON: "ManagedHooks"}, POSITION), **failures()},
        ),
        list_hooks,
    ),
    ManagementEndpoint(
        operation(
            id="createManagedHook",
            method="POST",
            path=_HOOKS,
            summary="Create a hook that the API owns",
            description="Its script is Node.js. Enabled, it replaces the trigger's former hook.",
            scope="create:hooks",
            repeatable=True,
            body="ManagedHookDraft",
            body_required=True,
            body_types=(JSON, FORM),
            answers={
                201: Answered("The hook.", {JSON: "ManagedHook"}, POSITION),
                **failures(409, 413, 422),
            },
        ),
        create_hook,
    ),
    ManagementEndpoint(
        operation(
            id="showManagedHook",
            method="GET",
            path=_ONE,
            summary="Show a hook, as Auth0 does",
            scope="read:hooks",
            parameters=(HOOK, *FIELDS),
            answers={
                200: Answered("The hook.", {JSON: "ManagedHookFields"}, POSITION),
                **failures(404),
            },
        ),
        show_hook,
    ),
    ManagementEndpoint(
        operation(
            id="updateManagedHook",
            method="PATCH",
            path=_ONE,
            summary="Change a hook that the API owns",
            description=(
                "What the body does not name stays. Of a hook that git owns, only `enabled` can be "
                "changed, alone: false stops it whatever git says, true undoes that."
            ),
            scope="update:hooks",
            repeatable=True,
            parameters=(HOOK,),
            body="ManagedHookPatch",
            body_required=True,
            body_types=(JSON, FORM),
            answers={
                200: Answered("The hook.", {JSON: "ManagedHook"}, POSITION),
                **failures(404, 409, 413, 422),
            },
        ),
        update_hook,
    ),
    ManagementEndpoint(
        operation(
            id="deleteManagedHook",
            method="DELETE",
            path=_ONE,
            summary="Delete a hook that the API owns, with its secrets",
            scope="delete:hooks",
            repeatable=True,
            parameters=(HOOK,),
            answers={204: Answered("It is gone.", headers=POSITION), **failures(404, 409, 422)},
        ),
        delete_hook,
    ),
)
