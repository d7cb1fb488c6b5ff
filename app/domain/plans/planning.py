"""Compare what a commit says with what is in force.

Level-based: whole states are compared, never how they came about. A desired state may be partial
(only the folders that differ from the applied tree); what it does not mention stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from app.domain.documents.places import manifest_place
from app.domain.errors import Problem, Rejected
from app.domain.plans.plan import (
    ActiveHook,
    ActiveTrigger,
    Change,
    ChangeKind,
    DesiredHook,
    DesiredState,
    Plan,
)
from app.domain.plans.trigger_planning import chains_of, trigger_changes, trigger_clashes


def plan(
    desired: DesiredState,
    active: Collection[ActiveHook],
    *,
    owner: str,
    triggers: Collection[ActiveTrigger] = (),
) -> Plan:
    """Compare what a commit says with what is; raise ``Rejected`` with every contradiction.

    Only hooks of ``owner`` are changed. A hook that an operator disabled stays disabled until its
    own content changes in git, so that an unrelated commit cannot undo a break-glass measure.
    """
    own = {hook.name: hook for hook in active if hook.owner == owner}
    foreign = {hook.name: hook for hook in active if hook.owner != owner}
    gone = _gone(desired, own)
    kept = {name for name, hook in gone.items() if _is_kept(hook, desired)}
    retired = {name: hook for name, hook in gone.items() if name not in kept}
    named = {wanted.name for wanted in desired.hooks}
    staying = {
        name: hook for name, hook in own.items() if name not in retired and name not in named
    }
    changes = [_retire(hook) for hook in retired.values()]
    for wanted in desired.hooks:
        changes += _changes_of(wanted, own.get(wanted.name))
    changes += trigger_changes(desired, triggers, owner)
    chains = chains_of(desired, triggers)
    problems = (
        *_name_clashes(desired, foreign, owner),
        *_enablement_clashes(desired, staying, chains),
        *_answered_by_others(changes, foreign.values(), owner, chains),
        *trigger_clashes(desired, active, triggers, owner, kept),
        *_refused_removals(retired.values()),
    )
    if problems:
        raise Rejected(
            f"Commit {desired.commit[:12]} cannot be applied; the last good one keeps serving.",
            problems=problems,
        )
    ordered = tuple(sorted(changes, key=_order))
    return Plan(desired.commit, desired.tree, ordered, kept=tuple(sorted(kept)))


def _order(change: Change) -> tuple[int, str]:
    """Retire first, so that names and triggers are free; enable last, once all is in place."""
    rank = {
        ChangeKind.RETIRE: 0,
        ChangeKind.DISABLE: 1,
        ChangeKind.UNDEFINE: 2,
        ChangeKind.DEFINE: 3,
        ChangeKind.CREATE: 4,
        ChangeKind.UPDATE: 5,
        ChangeKind.ENABLE: 6,
    }
    return rank[change.kind], change.name


def _gone(desired: DesiredState, own: Mapping[str, ActiveHook]) -> dict[str, ActiveHook]:
    """Find hooks that git no longer has, or has under another trigger (which is another hook)."""
    wanted = {hook.name: hook for hook in desired.hooks}
    # Folders that are gone, and those that may now hold a hook of another name.
    looked_at = desired.removed | {hook.path for hook in desired.hooks}
    return {
        name: hook
        for name, hook in own.items()
        if (name not in wanted and (desired.complete or hook.path in looked_at))
        or (name in wanted and wanted[name].trigger != hook.trigger)
    }


def _is_kept(hook: ActiveHook, desired: DesiredState) -> bool:
    """Tell whether a hook that git no longer has is to stay, and can: its name is still free."""
    return hook.settings["prune"] is False and all(hook.name != w.name for w in desired.hooks)


def _name_clashes(
    desired: DesiredState, foreign: Mapping[str, ActiveHook], owner: str
) -> Iterator[Problem]:
    for wanted in desired.hooks:
        if wanted.name in foreign:
            other = foreign[wanted.name].owner
            yield Problem(
                f"the name `{wanted.name}` belongs to a hook owned by `{other}`, so `{owner}` "
                "cannot have it; choose another name, or delete that hook first",
                file=manifest_place(wanted.path),
                key="name",
            )


def _answered_by_others(
    changes: Iterable[Change], foreign: Iterable[ActiveHook], owner: str, chains: Collection[str]
) -> Iterator[Problem]:
    """Find triggers that another source's hook answers: the later commit must not simply win."""
    answered = {
        hook.trigger: hook for hook in foreign if hook.enabled and hook.owner.startswith("source:")
    }
    for change in changes:
        other = answered.get(change.trigger)
        if change.kind is ChangeKind.ENABLE and other is not None and change.trigger not in chains:
            yield Problem(
                f"trigger `{change.trigger}` runs `{other.name}` of `{other.owner}`, so `{owner}` "
                'cannot enable another; disable it, or let the trigger run both by mode = "chain"',
                file=manifest_place(change.path or ""),
                key="enabled",
            )


def _enablement_clashes(
    desired: DesiredState, staying: Mapping[str, ActiveHook], chains: Collection[str]
) -> Iterator[Problem]:
    enabled: dict[str, list[tuple[str, str]]] = {}
    for wanted in desired.hooks:
        if wanted.enabled:
            enabled.setdefault(wanted.trigger, []).append((wanted.path, wanted.name))
    for hook in staying.values():
        if hook.settings["enabled"]:
            enabled.setdefault(hook.trigger, []).append((hook.path or "", hook.name))
    for trigger, hooks in enabled.items():
        if len(hooks) > 1 and trigger not in chains:
            listed = ", ".join(f"`{name}`" for _, name in sorted(hooks))
            for path, _ in sorted(hooks):
                yield Problem(
                    f"only one hook of trigger `{trigger}` may be enabled, but {listed} are; "
                    'disable the others, or let the trigger run them in turn by mode = "chain"',
                    file=manifest_place(path),
                    key="enabled",
                )


def _refused_removals(retired: Iterable[ActiveHook]) -> Iterator[Problem]:
    for hook in retired:
        if hook.settings["prune"] is False:
            yield Problem(
                f"hook `{hook.name}` says `prune = false`, so it stays, but its name is given to "
                'a hook of another trigger; choose another name, or set `prune = "auto"` in a '
                "commit of its own first",
                file=manifest_place(hook.path or ""),
                key="prune",
            )


def _retire(hook: ActiveHook) -> Change:
    return Change(ChangeKind.RETIRE, hook.name, hook.trigger, hook.path, hook.id)


def _changes_of(wanted: DesiredHook, hook: ActiveHook | None) -> list[Change]:
    def change(kind: ChangeKind, hook_id: str | None, fields: tuple[str, ...] = ()) -> Change:
        return Change(kind, wanted.name, wanted.trigger, wanted.path, hook_id, fields, wanted)

    if hook is None or hook.trigger != wanted.trigger:
        made = [change(ChangeKind.CREATE, None, tuple(_changed_secrets(wanted, frozenset())))]
        return [*made, change(ChangeKind.ENABLE, None)] if wanted.enabled else made
    fields = _changed_fields(wanted, hook)
    changes = [change(ChangeKind.UPDATE, hook.id, fields)] if fields else []
    held = hook.break_glass and wanted.digest == hook.digest
    reordered = wanted.settings["order"] != hook.settings["order"]
    if wanted.enabled and not held and (not hook.enabled or reordered):
        changes.append(change(ChangeKind.ENABLE, hook.id))
    elif not wanted.enabled and hook.enabled:
        changes.append(change(ChangeKind.DISABLE, hook.id))
    return changes


def _changed_fields(wanted: DesiredHook, hook: ActiveHook) -> tuple[str, ...]:
    compared = {
        "script": (wanted.language, wanted.script) != (hook.language, hook.script),
        "dependencies": dict(wanted.dependencies) != dict(hook.dependencies),
        "settings": dict(wanted.settings) != dict(hook.settings),
        "path": wanted.path != hook.path,
    }
    differing = [name for name, differs in compared.items() if differs]
    return (*differing, *_changed_secrets(wanted, hook.secrets))


def _changed_secrets(wanted: DesiredHook, present: Collection[str]) -> Iterator[str]:
    """Name the secrets that get another value or go; a plan never holds a value."""
    if wanted.secrets is None:
        return
    for name in sorted({*wanted.secrets, *present}):
        if wanted.secrets.get(name) is not None:
            yield f"secrets.{name}"
        elif name not in wanted.secrets:
            yield f"secrets.{name} (removed)"
