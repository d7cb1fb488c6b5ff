"""What the proofs of the history need of the outside world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.domain.history.checkpoints import SignedCheckpoint, VerifierKey
from app.domain.revisions import Position


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That an event is in a tree of some size."""

    position: Position
    index: int
    """Number of the leaf, from 0."""
    size: int
    leaf: bytes
    hashes: tuple[bytes, ...]
    """The audit path, from the leaf up (RFC 6962, 2.1.1)."""
    root: bytes


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That a tree only grew (RFC 6962, 2.1.2)."""

    old_size: int
    new_size: int
    old_root: bytes
    new_root: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class IssuedCheckpoint:
    """A checkpoint of ours, with when it was made, which the note does not say."""

    signed: SignedCheckpoint
    made_at: datetime


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """An event exactly as it is stored."""

    position: Position
    stream: str
    version: int
    topic: str
    state: bytes


class TransparencyLog(Protocol):
    """The Merkle tree over all events. Blocking."""

    def size(self) -> int:
        """Return the number of leaves taken in."""
        ...

    def root(self, size: int) -> bytes:
        """Return the root of the first ``size`` leaves; raise ``NotFound`` if there are fewer."""
        ...

    def newest_position(self, size: int) -> Position:
        """Return the position of the last of the first ``size`` leaves; 0 for none."""
        ...

    def inclusion(self, positions: Sequence[Position], size: int) -> list[InclusionProof]:
        """Prove that the events are in the tree of ``size`` leaves; raise ``NotFound``."""
        ...

    def consistency(self, old: int, new: int) -> ConsistencyProof:
        """Prove that the later tree extends the earlier one; raise ``NotFound``, ``Rejected``."""
        ...


class CheckpointBook(Protocol):
    """Signs checkpoints, and remembers every one for ever. Blocking."""

    @property
    def origin(self) -> str:
        """Name of the log."""
        ...

    def newest(self) -> IssuedCheckpoint | None:
        """Return the last checkpoint that was issued."""
        ...

    def issue(self, size: int, root: bytes) -> IssuedCheckpoint:
        """Sign and store."""
        ...

    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """Return the public keys, the one that signs now first, replaced ones after it."""
        ...


class StoredEvents(Protocol):
    """Events as bytes, past the mapper. Blocking."""

    def at(self, positions: Sequence[Position]) -> list[StoredBytes]:
        """Return the events at these positions, in this order; raise ``NotFound``."""
        ...


Anchor = Callable[[str], None]
"""Puts a note where the server's database is not; raises ``HookledgerError``."""
