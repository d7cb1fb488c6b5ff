"""What a plan changes within a hook, line by line, as people read it before they agree."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.plans.plan import ActiveHook, Change, ChangeKind, DesiredHook

_MOST_LINES = 5000
"""Of a script; longer ones would take seconds to compare, and nobody would read it."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value of a manifest."""

    name: str
    """E.g. ``timeout_ms`` or ``dependencies.requests``."""
    before: Any
    """None if it was not there."""
    after: Any
    """None if it will not be there."""


@dataclass(frozen=True, slots=True)
class HookDiff:
    """What becomes of one hook that is created, changed or retired."""

    hook: str
    kind: ChangeKind
    script: str
    """Unified diff; empty if the script stays as it is."""
    fields: tuple[FieldChange, ...]

    @property
    def network_added(self) -> tuple[str, ...]:
        """Places (``host:port``) that the hook may call from then on."""
        return self._network("after", "before")

    @property
    def network_removed(self) -> tuple[str, ...]:
        """Places that it may no longer call."""
        return self._network("before", "after")

    def _network(self, one: str, other: str) -> tuple[str, ...]:
        for change in self.fields:
            if change.name == "network":
                left = getattr(change, other) or ()
                return tuple(place for place in getattr(change, one) or () if place not in left)
        return ()


def diff_of(change: Change, active: ActiveHook | None) -> HookDiff | None:
    """Compare a hook before (None: there was none) and after; None if only enablement changes."""
    if change.kind not in (ChangeKind.CREATE, ChangeKind.UPDATE, ChangeKind.RETIRE):
        return None
    fields = tuple(_fields(_members(active), _members(change.desired)))
    return HookDiff(change.name, change.kind, _script(active, change.desired), fields)


def _members(hook: ActiveHook | DesiredHook | None) -> dict[str, Any]:
    if hook is None:
        return {}
    packages: Mapping[str, str] = {
        f"dependencies.{name}": version for name, version in hook.dependencies.items()
    }
    return {"path": hook.path, "language": hook.language, **hook.settings, **packages}


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield FieldChange(name, before.get(name), after.get(name))


def _script(active: ActiveHook | None, desired: DesiredHook | None) -> str:
    before, after = active.script if active else "", desired.script if desired else ""
    if before == after:
        return ""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > _MOST_LINES:
        return f"The script is too long to compare here ({len(old)} and {len(new)} lines).\n"
    name = desired.script_file if desired else "script"
    lines = difflib.unified_diff(
        old,
        new,
        f"a/{active.path}/{name}" if active else "/dev/null",
        f"b/{desired.path}/{name}" if desired else "/dev/null",
        lineterm="",
    )
    return "".join(f"{line}\n" for line in lines)
