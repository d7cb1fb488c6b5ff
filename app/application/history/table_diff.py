"""What differs between two moments: hooks, which of them answer, and applied commits.

Secrets differ in their versions, which are ids of data keys; values are known to nobody here.
"""

from __future__ import annotations

import difflib
import enum
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.application.views import ActiveTable, HookRow, SourceRow, TriggerRow
from app.domain.revisions import Position

MAX_COMPARED_LINES = 10_000
"""Of both scripts together; longer ones are shown as replaced, because comparing takes too long."""


class HookChange(enum.StrEnum):
    """What happened to a hook between two moments."""

    CREATED = "created"
    CHANGED = "changed"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One member; its name has a dot for members of settings, dependencies and secrets."""

    field: str
    before: Any
    """None if it was not there."""
    after: Any


@dataclass(frozen=True, slots=True)
class HookDiff:
    """A hook that is another, new, or gone."""

    id: str
    name: str
    """The later one."""
    trigger: str
    change: HookChange
    fields: tuple[FieldChange, ...]
    script: str
    """Unified diff; empty if the script is the same."""


@dataclass(frozen=True, slots=True)
class RowDiff:
    """A trigger or a source that is another."""

    id: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class TableDiff:
    """What differs, in the order of names."""

    before: Position
    after: Position
    hooks: tuple[HookDiff, ...]
    triggers: tuple[RowDiff, ...]
    sources: tuple[RowDiff, ...]
    next: str | None
    """Where to go on if there are more hooks."""
    total: int
    """How many hooks differ in all, those of other pages included."""


def diff_tables(
    before: ActiveTable, after: ActiveTable, *, beyond: str = "", limit: int | None = None
) -> TableDiff:
    """Compare; only up to ``limit`` hooks, those behind the ``next`` of the diff before."""
    pairs = sorted(
        (
            (_place(pair), pair)
            for pair in _pairs(before.hooks, after.hooks)
            if _members(pair[0]) != _members(pair[1])
        ),
        key=operator.itemgetter(0),
    )
    behind = [each for each in pairs if each[0] > beyond]
    shown = behind if limit is None else behind[:limit]
    return TableDiff(
        before=before.position,
        after=after.position,
        hooks=tuple(_hook_diff(*pair, before.position, after.position) for _, pair in shown),
        triggers=_triggers(before, after),
        sources=_sources(before, after),
        next=shown[-1][0] if len(shown) < len(behind) else None,
        total=len(pairs),
    )


Pair = tuple[HookRow | None, HookRow | None]


def _pairs(before: Mapping[str, HookRow], after: Mapping[str, HookRow]) -> Iterator[Pair]:
    for hook_id in before.keys() | after.keys():
        pair = before.get(hook_id), after.get(hook_id)
        if pair[0] is not pair[1]:
            yield pair


def _latest(pair: Pair) -> HookRow:
    latest = pair[1] or pair[0]
    if latest is None:
        raise AssertionError("a hook that differs is there before or after")
    return latest


def _place(pair: Pair) -> str:
    """Return what sorts hooks by name; a new hook may bear the name of one that is gone."""
    latest = _latest(pair)
    return f"{latest.name}/{latest.id}"


def _members(row: HookRow | None) -> dict[str, Any]:
    """Return what is compared, in the order of its telling; nested members by dotted names."""
    if row is None:
        return {}
    return {
        "name": row.name,
        "trigger": row.trigger,
        "enabled": row.enabled,
        "break_glass": row.break_glass,
        "owner": row.owner,
        "path": row.path,
        "language": row.language,
        "commit": row.commit,
        "digest": row.digest,
        **{f"settings.{key}": value for key, value in sorted(row.settings.items())},
        **{f"dependencies.{key}": value for key, value in sorted(row.dependencies.items())},
        **{f"secrets.{name}": row.secrets[name].key_id for name in sorted(row.secrets)},
    }


def _hook_diff(
    before: HookRow | None, after: HookRow | None, first: Position, last: Position
) -> HookDiff:
    latest = _latest((before, after))
    change = HookChange.CHANGED
    if before is None or after is None:
        change = HookChange.CREATED if before is None else HookChange.RETIRED
    return HookDiff(
        id=latest.id,
        name=latest.name,
        trigger=latest.trigger,
        change=change,
        fields=_changes(_members(before), _members(after)),
        script=_script_diff(before, after, first, last),
    )


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(field, before.get(field), after.get(field))
        for field in dict.fromkeys((*before, *after))
        if before.get(field) != after.get(field)
    )


def _script_diff(
    before: HookRow | None, after: HookRow | None, first: Position, last: Position
) -> str:
    old, new = (row.script if row is not None else "" for row in (before, after))
    if old == new:
        return ""
    old_name, new_name = (
        "/dev/null" if row is None else f"{row.name}@{position}"
        for row, position in ((before, first), (after, last))
    )
    lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if sum(map(len, lines)) > MAX_COMPARED_LINES:
        compared = _replaced(*lines, old_name, new_name)
    else:
        compared = difflib.unified_diff(*lines, old_name, new_name)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in compared
    )


def _replaced(
    old: Sequence[str], new: Sequence[str], old_name: str, new_name: str
) -> Iterator[str]:
    yield f"--- {old_name}\n"
    yield f"+++ {new_name}\n"
    yield f"@@ -{min(1, len(old))},{len(old)} +{min(1, len(new))},{len(new)} @@\n"
    yield from (f"-{line}" for line in old)
    yield from (f"+{line}" for line in new)


def _triggers(before: ActiveTable, after: ActiveTable) -> tuple[RowDiff, ...]:
    def members(table: ActiveTable, row: TriggerRow | None) -> dict[str, Any]:
        if row is None:
            return {}
        names = [table.hooks[each].name for each in row.hooks if each in table.hooks]
        return {"enabled_hooks": names, "owner": row.owner, "definition": row.definition}

    return _row_diffs(
        {key: members(before, row) for key, row in before.triggers.items()},
        {key: members(after, row) for key, row in after.triggers.items()},
    )


def _sources(before: ActiveTable, after: ActiveTable) -> tuple[RowDiff, ...]:
    def members(row: SourceRow) -> dict[str, Any]:
        return {"location": row.location, "branch": row.branch, "applied": row.applied}

    return _row_diffs(
        {key: members(row) for key, row in before.sources.items()},
        {key: members(row) for key, row in after.sources.items()},
    )


def _row_diffs(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> tuple[RowDiff, ...]:
    diffs = (
        RowDiff(key, _changes(before.get(key, {}), after.get(key, {})))
        for key in sorted(before.keys() | after.keys())
    )
    return tuple(diff for diff in diffs if diff.fields)
