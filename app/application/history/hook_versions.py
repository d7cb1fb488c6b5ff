"""What a hook was, change by change: its script, packages and manifest, and who made it so.

The audit log keeps scripts as digests; the events hold them whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.application.ledger import Ledger
from app.domain.aggregates import DomainEvent
from app.domain.hooks.hook import Hook


@dataclass(frozen=True, slots=True)
class PastVersion:
    """A hook as one change left it."""

    number: int
    """From 1; the events of one commit or command make one version."""
    at: datetime
    changed: tuple[str, ...]
    """``script``, ``packages``, ``manifest``, ``name`` or ``folder``; of the first, ``created``."""
    language: str
    script: str
    dependencies: Mapping[str, str]
    settings: Mapping[str, Any]
    meta: Mapping[str, Any]
    """``Meta`` as it is stored."""

    @property
    def commit(self) -> str | None:
        return self.meta.get("commit")

    @property
    def reason(self) -> str | None:
        """Why, if whoever made it said so."""
        return self.meta.get("reason")

    @property
    def who(self) -> str:
        """Name who made it: of a commit the author it claims."""
        return str(self.meta.get("author") or self.meta.get("actor", "unknown"))


def versions_of(ledger: Ledger, hook_id: str) -> Sequence[PastVersion]:
    """Return every version, newest first; none for an id that no hook ever had."""
    versions: list[PastVersion] = []
    for event in ledger.events_of(Hook.create_id(hook_id)):
        last = versions[-1] if versions else None
        following = _after(event, last)
        if following is None:
            continue
        if last is not None and _same_change(last.meta, event.meta):
            changed = tuple(dict.fromkeys((*last.changed, *following.changed)))
            versions[-1] = replace(following, number=last.number, changed=changed)
        else:
            versions.append(following)
    return versions[::-1]


def _after(event: DomainEvent, last: PastVersion | None) -> PastVersion | None:
    """Return the version that ``event`` makes of the last one; None if it makes none."""
    if isinstance(event, Hook.Created):
        return PastVersion(
            number=1,
            at=event.timestamp,
            changed=("created",),
            language=event.language,
            script=event.script,
            dependencies=event.dependencies,
            settings=event.settings,
            meta=event.meta,
        )
    changed = _CHANGES.get(type(event))
    if last is None or changed is None:
        return None
    members = {name: getattr(event, name) for name in changed[1:]}
    following = replace(last, number=last.number + 1, at=event.timestamp, meta=event.meta)
    return replace(following, changed=changed[:1], **members)


_CHANGES: Mapping[type[DomainEvent], tuple[str, ...]] = {
    Hook.ScriptChanged: ("script", "language", "script"),
    Hook.DependenciesChanged: ("packages", "dependencies"),
    Hook.SettingsChanged: ("manifest", "settings"),
    Hook.Renamed: ("name",),
    Hook.Moved: ("folder",),
}
"""How a change is called, and the members that the event brings."""


def _same_change(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(
        one.get(key) is not None and one.get(key) == other.get(key)
        for key in ("commit", "correlation_id")
    )
