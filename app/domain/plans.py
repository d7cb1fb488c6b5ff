"""Desired state against active state: a plan is a value, decided before anything is changed.

Level-based: the plan compares whole states and never asks how they came about. A desired state may
be partial (only the folders that differ from the applied tree); what it does not mention stays.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.errors import Problem, Rejected
from app.domain.outcomes import Language
from app.domain.revisions import CommitSha, Digest, TreeSha, digest_of


@dataclass(frozen=True, slots=True)
class DesiredHook:
    """A hook as one commit describes it."""

    name: str
    trigger: str
    path: str
    """Folder below the source's path, e.g. ``hooks/pre-user-registration/no-throwaway``."""
    language: Language
    script: str
    script_file: str
    """Name of the script within the folder."""
    dependencies: Mapping[str, str]
    settings: Mapping[str, Any]

    @property
    def enabled(self) -> bool:
        return bool(self.settings["enabled"])

    @property
    def digest(self) -> Digest:
        """Hash of all that runs: script, dependencies and settings; not of name or path."""
        described = json.dumps(
            [self.language, dict(self.dependencies), dict(self.settings)], sort_keys=True
        )
        return digest_of(self.script.encode(), described.encode())


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What a commit says about hooks, whole or as a difference."""

    commit: CommitSha
    tree: TreeSha
    """Id of the subtree at the source's path; equal trees say the same."""
    author: str
    committer: str
    message: str
    hooks: tuple[DesiredHook, ...]
    removed: frozenset[str]
    """Folders that no longer hold a hook; empty if ``complete``."""
    complete: bool
    """Whether ``hooks`` is everything, so that a hook not in it is gone."""


@dataclass(frozen=True, slots=True)
class ActiveHook:
    """A hook as it is now."""

    id: str
    """ULID."""
    name: str
    trigger: str
    owner: str
    path: str | None
    language: Language
    script: str
    dependencies: Mapping[str, str]
    settings: Mapping[str, Any]
    digest: str
    enabled: bool
    break_glass: bool


class ChangeKind(enum.StrEnum):
    """What happens to one hook."""

    CREATE = "create"
    UPDATE = "update"
    ENABLE = "enable"
    DISABLE = "disable"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a plan; a hook may need several."""

    kind: ChangeKind
    name: str
    trigger: str
    path: str | None
    hook_id: str | None
    """ULID of the hook; None if the change creates it."""
    fields: tuple[str, ...] = ()
    """What an update changes: script, dependencies, settings, path."""
    desired: DesiredHook | None = field(default=None, repr=False)

    def described(self) -> dict[str, Any]:
        """Return the members worth storing and showing."""
        members = {
            "kind": str(self.kind),
            "name": self.name,
            "trigger": self.trigger,
            "path": self.path,
            "fields": list(self.fields),
        }
        return {key: value for key, value in members.items() if value}


@dataclass(frozen=True, slots=True)
class Plan:
    """All that applying a revision would do, in the order in which it is done."""

    commit: CommitSha
    tree: TreeSha
    changes: tuple[Change, ...]

    @property
    def digest(self) -> Digest:
        """Names exactly this plan: same commit, same changes, same contents."""
        described = [
            change.described() | {"content": change.desired.digest if change.desired else None}
            for change in self.changes
        ]
        return digest_of(self.commit.encode(), json.dumps(described, sort_keys=True).encode())

    @property
    def counts(self) -> dict[str, int]:
        """How many hooks are created, updated, and so on."""
        return {
            str(kind): sum(1 for change in self.changes if change.kind is kind)
            for kind in ChangeKind
        }


def plan(desired: DesiredState, active: Collection[ActiveHook], *, owner: str) -> Plan:
    """Compare what a commit says with what is; raise ``Rejected`` with every contradiction.

    Only hooks of ``owner`` are changed. A hook that an operator disabled stays disabled until its
    own content changes in git, so that an unrelated commit cannot undo a break-glass measure.
    """
    own = {hook.name: hook for hook in active if hook.owner == owner}
    foreign = {hook.name: hook for hook in active if hook.owner != owner}
    retired = _retired(desired, own)
    staying = {
        name: hook
        for name, hook in own.items()
        if name not in retired and name not in {wanted.name for wanted in desired.hooks}
    }
    problems = (
        *_name_clashes(desired, foreign),
        *_enablement_clashes(desired, staying),
        *_refused_removals(retired.values()),
    )
    if problems:
        raise Rejected(
            f"Commit {desired.commit[:12]} cannot be applied; the last good one keeps serving.",
            problems=problems,
        )
    changes = [_retire(hook) for hook in retired.values()]
    for wanted in desired.hooks:
        changes += _changes_of(wanted, own.get(wanted.name))
    return Plan(desired.commit, desired.tree, tuple(sorted(changes, key=_order)))


def _order(change: Change) -> tuple[int, str]:
    """Retire first, so that names and triggers are free; enable last, once all is in place."""
    rank = {
        ChangeKind.RETIRE: 0,
        ChangeKind.DISABLE: 1,
        ChangeKind.CREATE: 2,
        ChangeKind.UPDATE: 3,
        ChangeKind.ENABLE: 4,
    }
    return rank[change.kind], change.name


def _retired(desired: DesiredState, own: Mapping[str, ActiveHook]) -> dict[str, ActiveHook]:
    """Find hooks that git no longer has, or has under another trigger (which is another hook)."""
    wanted = {hook.name: hook for hook in desired.hooks}
    return {
        name: hook
        for name, hook in own.items()
        if (
            name not in wanted
            and (desired.complete or hook.path in desired.removed or _replaced_at(hook, desired))
        )
        or (name in wanted and wanted[name].trigger != hook.trigger)
    }


def _replaced_at(hook: ActiveHook, desired: DesiredState) -> bool:
    """Tell whether the hook's folder now holds a hook of another name."""
    return any(wanted.path == hook.path for wanted in desired.hooks)


def _name_clashes(desired: DesiredState, foreign: Mapping[str, ActiveHook]) -> Iterator[Problem]:
    for wanted in desired.hooks:
        if wanted.name in foreign:
            owner = foreign[wanted.name].owner
            yield Problem(
                f"the name `{wanted.name}` belongs to a hook owned by `{owner}`; choose another "
                "name, or delete that hook first",
                file=f"{wanted.path}/hook.toml",
                key="name",
            )


def _enablement_clashes(
    desired: DesiredState, staying: Mapping[str, ActiveHook]
) -> Iterator[Problem]:
    enabled: dict[str, list[tuple[str, str]]] = {}
    for wanted in desired.hooks:
        if wanted.enabled:
            enabled.setdefault(wanted.trigger, []).append((wanted.path, wanted.name))
    for hook in staying.values():
        if hook.settings["enabled"]:
            enabled.setdefault(hook.trigger, []).append((hook.path or "", hook.name))
    for trigger, hooks in enabled.items():
        if len(hooks) > 1:
            listed = ", ".join(f"`{name}`" for _, name in sorted(hooks))
            for path, _ in sorted(hooks):
                yield Problem(
                    f"only one hook of trigger `{trigger}` may be enabled, but {listed} are",
                    file=f"{path}/hook.toml",
                    key="enabled",
                )


def _refused_removals(retired: Iterable[ActiveHook]) -> Iterator[Problem]:
    for hook in retired:
        if hook.settings["prune"] != "auto":
            yield Problem(
                f"hook `{hook.name}` says `prune = {json.dumps(hook.settings['prune'])}` and was "
                'removed; set `prune = "auto"` in a commit of its own before removing it',
                file=f"{hook.path}/hook.toml",
                key="prune",
            )


def _retire(hook: ActiveHook) -> Change:
    return Change(ChangeKind.RETIRE, hook.name, hook.trigger, hook.path, hook.id)


def _changes_of(wanted: DesiredHook, hook: ActiveHook | None) -> list[Change]:
    def change(kind: ChangeKind, hook_id: str | None, fields: tuple[str, ...] = ()) -> Change:
        return Change(kind, wanted.name, wanted.trigger, wanted.path, hook_id, fields, wanted)

    if hook is None or hook.trigger != wanted.trigger:
        made = [change(ChangeKind.CREATE, None)]
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
    return tuple(name for name, differs in compared.items() if differs)
