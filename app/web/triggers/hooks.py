"""What there is: the triggers, and the hooks that answer them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from app.application.invoking.contracts import contract_in, contracts_in
from app.application.views import START, ActiveTable, HookRow, TriggerRow
from app.domain.errors import NotFound
from app.domain.triggers.contracts import TriggerContract
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer
from app.web.protocol.moments import AS_OF, shown, table_of
from app.web.protocol.parameters import CURSOR, LIMIT, flag, path_parameter, text
from app.web.syncing.members import act_members


async def list_triggers(inquiry: Inquiry) -> Response:
    """Answer every trigger with its contract and its enabled hooks."""
    table = await table_of(inquiry)
    triggers = [
        trigger_members(contract, table.triggers.get(contract.id))
        for contract in contracts_in(table)
    ]
    return shown(json_answer({"triggers": triggers, "position": table.position}), table)


async def list_hooks(inquiry: Inquiry) -> Response:
    """Answer hooks by name, without their scripts."""
    table, wanted = await table_of(inquiry), inquiry.values
    after = wanted["cursor"] or ""
    if wanted["trigger"] is not None:
        contract_in(table, wanted["trigger"])
    found = sorted(
        (hook for hook in table.hooks.values() if hook.name > after and _is(hook, wanted)),
        key=lambda hook: hook.name,
    )
    page = found[: wanted["limit"]]
    answer = {
        "hooks": [hook_members(hook) for hook in page],
        "position": table.position,
        "next": page[-1].name if len(found) > len(page) else None,
    }
    return shown(json_answer(answer), table)


async def show_hook(inquiry: Inquiry) -> Response:
    """Answer one hook with its script."""
    table = await table_of(inquiry)
    hook = hook_in(table, inquiry.path["id"])
    answer = hook_members(hook) | {
        "script": hook.script,
        "script_sha256": hashlib.sha256(hook.script.encode()).hexdigest(),
        "as_of": table.position,
    }
    return shown(json_answer(answer), table)


async def list_secrets(inquiry: Inquiry) -> Response:
    """Answer the names and versions of a hook's secrets."""
    table = await table_of(inquiry)
    hook = hook_in(table, inquiry.path["id"])
    secrets = [
        {"name": name, "version": hook.secrets[name].key_id} for name in sorted(hook.secrets)
    ]
    return shown(json_answer({"secrets": secrets, "position": table.position}), table)


def hook_in(table: ActiveTable, name_or_id: str) -> HookRow:
    """Look a hook up; raise ``NotFound``."""
    hook = table.find_hook(name_or_id)
    if hook is None:
        raise NotFound(
            f"There is no hook `{name_or_id}` at position {table.position}; "
            "`/v1/hooks/{id}/history` may know a deleted one, and `as_of` shows what it was."
        )
    return hook


def hook_members(hook: HookRow) -> dict[str, Any]:
    """Choose what is shown of a hook: of secrets their names, never what holds their values."""
    return {
        "id": hook.id,
        "name": hook.name,
        "trigger": hook.trigger,
        "owner": hook.owner,
        "path": hook.path,
        "language": hook.language,
        "enabled": hook.enabled,
        "break_glass": hook.break_glass,
        "override": act_members(hook.override) if hook.override else None,
        "digest": hook.digest,
        "dependencies": hook.dependencies,
        "settings": hook.settings,
        "secrets": sorted(hook.secrets),
        "commit": hook.commit,
        "position": hook.position,
        "version_key": hook.version_key,
        "created_at": hook.created_at,
        "updated_at": hook.updated_at,
    }


def trigger_members(contract: TriggerContract, row: TriggerRow | None) -> dict[str, Any]:
    """Choose what is shown of a trigger."""
    return {
        "id": contract.id,
        "title": contract.title,
        "purpose": contract.purpose,
        "blocking": contract.blocking,
        "mode": contract.mode,
        "on_error": contract.on_error,
        "parameters": contract.parameters,
        "example": contract.example,
        "record": contract.record,
        "mask": contract.mask,
        "payload_schema": contract.payload_schema,
        "result_schema": contract.result_schema,
        "owner": row.owner if row is not None else None,
        "enabled_hooks": row.hooks if row is not None else (),
        "position": row.position if row is not None else START,
    }


def _is(hook: HookRow, wanted: Mapping[str, Any]) -> bool:
    return all(
        wanted[member] is None or wanted[member] == getattr(hook, member)
        for member in ("trigger", "enabled", "name")
    )


_HOOK = path_parameter("id", "Name of a hook, or its id (a ULID).")
_TRIGGER = text("trigger", "Only of this trigger.")
_POSITION = ("Hookledger-Position",)

ENDPOINTS = (
    Endpoint(
        Operation(
            id="listTriggers",
            method="GET",
            path="/v1/triggers",
            summary="List the triggers",
            description="What each promises, an example of its payload, and its enabled hooks.",
            group="Triggers",
            scope="read:hooks",
            positioned=True,
            parameters=(AS_OF,),
            answers={200: Answered("Every trigger.", {JSON: "Triggers"}, _POSITION)},
            problems=("not-found",),
        ),
        list_triggers,
    ),
    Endpoint(
        Operation(
            id="listHooks",
            method="GET",
            path="/v1/hooks",
            summary="List the hooks",
            description="By name, without scripts. Of secrets only the names are ever shown.",
            group="Hooks",
            scope="read:hooks",
            positioned=True,
            parameters=(
                _TRIGGER,
                flag("enabled", "Only those that their trigger runs, or only the others."),
                text("name", "Only the hook of this name."),
                AS_OF,
                LIMIT,
                CURSOR,
            ),
            answers={200: Answered("A page of hooks.", {JSON: "Hooks"}, _POSITION)},
            problems=("not-found",),
        ),
        list_hooks,
    ),
    Endpoint(
        Operation(
            id="showHook",
            method="GET",
            path="/v1/hooks/{id}",
            summary="Show a hook, with its script",
            group="Hooks",
            scope="read:hooks",
            positioned=True,
            parameters=(_HOOK, AS_OF),
            answers={200: Answered("The hook.", {JSON: "HookWithScript"}, _POSITION)},
            problems=("not-found",),
        ),
        show_hook,
    ),
    Endpoint(
        Operation(
            id="listHookSecrets",
            method="GET",
            path="/v1/hooks/{id}/secrets",
            summary="List the secrets of a hook",
            description="Their names, and versions that change with the values; never a value.",
            group="Hooks",
            scope="read:hooks",
            positioned=True,
            parameters=(_HOOK, AS_OF),
            answers={200: Answered("Every secret.", {JSON: "Secrets"}, _POSITION)},
            problems=("not-found",),
        ),
        list_secrets,
    ),
)
