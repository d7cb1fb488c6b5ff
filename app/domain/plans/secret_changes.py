"""What a revision does to secrets: part of a plan, without a value that anybody could read."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class SecretChangeKind(enum.StrEnum):
    """What happens to one secret."""

    SET = "set"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class SecretChange:
    """One secret of one hook gets a value, or loses it."""

    hook: str
    """The hook's name."""
    hook_id: str | None
    """Its ULID; None if the same plan creates it."""
    name: str
    kind: SecretChangeKind
    sealed: bytes = field(default=b"", repr=False)
    """The new value, protected by the vault for ``PURPOSE`` until it is stored."""

    def described(self) -> dict[str, str]:
        """Return the members worth storing and showing."""
        return {"hook": self.hook, "name": self.name, "kind": str(self.kind)}


PURPOSE = "secret-change"
"""What the vault protects values for between planning and storing."""
