"""Who vouches for a commit, and how far that must go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VerifyMode = Literal["none", "head", "range"]
"""Which commits must be signed: none, the branch's tip, or all since the applied one."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose key signed a commit; proof, unlike what the commit says of author and committer."""

    method: Literal["ssh", "gpg"]
    fingerprint: str
    """``SHA256:…`` of an SSH key; hexadecimal of a GPG primary key."""
    principal: str
    """Whom the key belongs to, as the operator's configuration says."""
