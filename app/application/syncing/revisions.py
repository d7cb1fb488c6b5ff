"""What a revision needs before it can be planned: support, scripts to compile, what is in force."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from app.application.invoking.contracts import contract_in
from app.application.views import ActiveTable, HookRow
from app.domain.aggregates import Commit, Meta
from app.domain.outcomes import ScriptToCheck
from app.domain.plans.plan import ActiveHook, ActiveTrigger, DesiredHook, DesiredState
from app.domain.triggers.catalogue import contract_of, parameters_of
from app.domain.triggers.contracts import TriggerContract


def scripts_to_check(desired: DesiredState, table: ActiveTable) -> Iterator[ScriptToCheck]:
    """Pick the scripts that are not in force as they are, so that nothing is compiled twice."""
    for hook in desired.hooks:
        known = table.find_hook(hook.name)
        if known is None or not _same_script(known, hook):
            yield ScriptToCheck(
                file=hook.script_place,
                language=hook.language,
                script=hook.script,
                parameters=parameters_of(hook.trigger),
            )


def _same_script(row: HookRow, hook: DesiredHook) -> bool:
    return (row.language, row.script, row.trigger) == (hook.language, hook.script, hook.trigger)


def compared_hooks(
    desired: DesiredState, table: ActiveTable, owner: str, now: datetime
) -> tuple[ActiveHook, ...]:
    """Pick the hooks that a plan of ``owner`` compares: for a difference, those it may concern.

    Hooks that only change are found by name, so that a commit to one costs the same beside ten
    thousand others; all are looked at for folders that come and go, and for triggers that get
    another hook.
    """
    if desired.complete or desired.triggers is not None:
        return tuple(active_hook(row, now) for row in table.hooks.values())
    rows = {row.id: row for hook in desired.hooks if (row := table.find_hook(hook.name))}
    known = {row.name: row for row in rows.values() if row.owner == owner}
    paths = desired.removed | {
        hook.path
        for hook in desired.hooks
        if hook.name not in known or known[hook.name].path != hook.path
    }
    triggers = {hook.trigger for hook in desired.hooks if hook.enabled}
    for trigger in triggers:
        rows |= {row.id: row for row in table.active_hooks(trigger)}
    contested = {
        hook.trigger
        for hook in desired.hooks
        if hook.enabled and not (hook.name in known and _wants(known[hook.name], hook.trigger))
    }
    if paths or contested:
        rows |= {
            row.id: row
            for row in table.hooks.values()
            if row.path in paths or (row.trigger in contested and row.settings["enabled"])
        }
    return tuple(active_hook(row, now) for row in rows.values())


def _wants(row: HookRow, trigger: str) -> bool:
    return bool(row.trigger == trigger and row.settings["enabled"])


def active_hook(row: HookRow, now: datetime) -> ActiveHook:
    """Say of a row what a plan compares; an override whose time is over counts no more."""
    until = row.override.until if row.override is not None else None
    return ActiveHook(
        id=row.id,
        name=row.name,
        trigger=row.trigger,
        owner=row.owner,
        path=row.path,
        language=row.language,
        script=row.script,
        dependencies=row.dependencies,
        settings=row.settings,
        digest=row.digest,
        enabled=row.enabled,
        break_glass=row.break_glass and (until is None or now < until),
        secrets=frozenset(row.secrets),
    )


def active_triggers(table: ActiveTable) -> tuple[ActiveTrigger, ...]:
    """Return the triggers that repositories define."""
    return tuple(
        ActiveTrigger(row.id, row.owner, row.definition)
        for row in table.triggers.values()
        if row.owner is not None and row.definition is not None
    )


def desired_contract(desired: DesiredState, table: ActiveTable, trigger: str) -> TriggerContract:
    """Return what a trigger will promise once the state is in force."""
    if desired.triggers is None:
        return contract_in(table, trigger)
    said = {definition.id: definition.text for definition in desired.triggers}
    return contract_of(trigger, said.get(trigger))


def revision_meta(source: str, desired: DesiredState) -> Meta:
    """Say who changes what a commit changes: the source; author and committer are claims."""
    return Meta(
        actor=f"source:{source}",
        origin="git",
        correlation_id=desired.commit,
        reason=desired.message or None,
        commit=Commit(
            source=source,
            sha=desired.commit,
            author=desired.author,
            committer=desired.committer,
            signer=desired.signer,
        ),
    )
