"""What a revision needs before it can be planned: support, scripts to compile, what is in force."""

from __future__ import annotations

from collections.abc import Iterator

from app.application.views import ActiveTable, HookRow
from app.domain.contracts import CONTRACTS
from app.domain.errors import Problem
from app.domain.outcomes import ScriptToCheck
from app.domain.plans import ActiveHook, DesiredHook, DesiredState


def unsupported(desired: DesiredState) -> Iterator[Problem]:
    """Refuse what this version cannot do, rather than run hooks without what they ask for."""
    for hook in desired.hooks:
        manifest = f"{hook.path}/hook.toml"
        if hook.dependencies:
            yield Problem(
                "this version installs no packages; use the standard library only",
                file=manifest,
                key="dependencies",
            )


def scripts_to_check(desired: DesiredState, table: ActiveTable) -> Iterator[ScriptToCheck]:
    """Pick the scripts that are not in force as they are, so that nothing is compiled twice."""
    for hook in desired.hooks:
        known = table.find_hook(hook.name)
        if known is None or not _same_script(known, hook):
            yield ScriptToCheck(
                file=f"{hook.path}/{hook.script_file}",
                language=hook.language,
                script=hook.script,
                parameters=CONTRACTS[hook.trigger].parameters,
            )


def _same_script(row: HookRow, hook: DesiredHook) -> bool:
    return (row.language, row.script, row.trigger) == (hook.language, hook.script, hook.trigger)


def active_hook(row: HookRow) -> ActiveHook:
    """Say of a row what a plan compares."""
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
        break_glass=row.break_glass,
    )
