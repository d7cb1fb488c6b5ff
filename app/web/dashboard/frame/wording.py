"""Events in the words of people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.application.views import AuditRow

Tone = Literal["good", "bad", "warn", "plain"]


@dataclass(frozen=True, slots=True)
class Told:
    """An event as a list of changes shows it."""

    row: AuditRow
    what: str
    """A past tense that stands before the name of what was changed."""
    tone: Tone
    icon: str

    @property
    def who(self) -> str:
        """Say who did it: of a commit its author, as git claims."""
        claims = self.row.data.get("commit_by")
        author = claims.get("author") if isinstance(claims, dict) else None
        return str(author) if author else self.row.actor.removeprefix("person:")

    @property
    def subject(self) -> str:
        """Name what was changed."""
        row = self.row
        named = row.data.get("name") if row.type == "client.created" else None
        return row.hook_name or row.trigger or row.source or named or row.subject


_WORDS: Mapping[str, tuple[str, Tone, str]] = {
    "hook.created": ("Created", "good", "plus"),
    "hook.script_changed": ("Changed the script of", "plain", "pencil"),
    "hook.renamed": ("Renamed", "plain", "pencil"),
    "hook.moved": ("Moved", "plain", "pencil"),
    "hook.dependencies_changed": ("Changed the packages of", "plain", "pencil"),
    "hook.settings_changed": ("Changed the manifest of", "plain", "pencil"),
    "hook.deleted": ("Deleted", "bad", "trash"),
    "hook.secret_set": ("Set a secret of", "plain", "key"),
    "hook.secret_removed": ("Removed a secret of", "warn", "key"),
    "trigger.hook_enabled": ("Enabled", "good", "on"),
    "trigger.hook_disabled": ("Disabled", "warn", "off"),
    "trigger.order_changed": ("Changed the order of", "plain", "pencil"),
    "trigger.defined": ("Defined trigger", "plain", "pencil"),
    "trigger.definition_removed": ("Removed the definition of", "warn", "trash"),
    "source.revision_applied": ("Applied a commit from", "good", "sync"),
    "source.revision_rejected": ("Refused a commit from", "bad", "alert"),
    "source.plan_held": ("Held a commit from", "warn", "lock"),
    "source.plan_approved": ("Approved the held plan of", "good", "good"),
    "source.rolled_back": ("Rolled back", "warn", "history"),
    "source.suspended": ("Suspended", "warn", "off"),
    "source.resumed": ("Resumed", "good", "on"),
    "source.drift_healed": ("Set right what had drifted in", "plain", "sync"),
    "hook_name.created": ("Reserved the name of", "plain", "dot"),
    "hook_name.reserved": ("Reserved the name of", "plain", "dot"),
    "hook_name.released": ("Released the name of", "plain", "dot"),
    "trigger.created": ("First used trigger", "plain", "dot"),
    "source.created": ("Began to follow", "plain", "plus"),
    "sync_run.completed": ("Noted what a commit changed in", "plain", "dot"),
    "sync_run.repeated": ("Noted what a commit changed again in", "plain", "dot"),
    "client.created": ("Created client", "plain", "access"),
    "client.revoked": ("Revoked client", "warn", "access"),
}

_BOOKKEEPING = ("hook_name.", "trigger.created", "sync_run.", "source.created")
"""Events that follow from others and tell people nothing more."""


def told(row: AuditRow) -> Told:
    """Tell an event; one that has no words yet is told by its type."""
    what, tone, icon = _WORDS.get(row.type, (row.type, "plain", "dot"))
    if row.type == "trigger.hook_disabled" and row.data.get("break_glass"):
        what, tone, icon = "Broke the glass: disabled", "bad", "off"
    return Told(row, what, tone, icon)


def matters(row: AuditRow) -> bool:
    """Tell whether an event says something that no other says."""
    return not row.type.startswith(_BOOKKEEPING)
