"""A history with its tree and a key that signs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.application.history.transparency_ports import (
    ConsistencyProof,
    InclusionProof,
    IssuedCheckpoint,
    StoredBytes,
)
from app.application.history.verifications import Verification
from app.application.history.verify_history import Report, Verdict
from app.domain.callers.tokens import VerifiedToken
from app.domain.errors import (
    HookledgerError,
    NotFound,
    Unauthenticated,
)
from app.domain.history.checkpoints import (
    Checkpoint,
    NoteSignature,
    SignedCheckpoint,
    SignedNote,
    VerifierKey,
)
from app.domain.history.transparency import (
    Subtree,
    complete_hash,
    consistency_proof,
    event_hash,
    inclusion_proof,
    root_hash,
)
from app.domain.revisions import Position
from app.vault.note_signatures import new_private_key, public_key_of, sign
from tests.unit.web.doubles import NOW


@dataclass
class FakeSigner:
    """Signs by remembering."""

    signed: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    verified: list[str] = field(default_factory=list)

    def sign(self, claims: Mapping[str, Any]) -> str:
        token = f"signed.{len(self.signed)}.token"
        self.signed[token] = claims
        return token

    def public_keys(self) -> Mapping[str, Any]:
        members = ("kty", "use", "alg", "kid", "n", "e")
        return {"keys": [dict.fromkeys(members, "x")]}

    def verify(self, token: str) -> VerifiedToken:
        self.verified.append(token)
        if token not in self.signed:
            raise Unauthenticated("The access token is not valid: its form is not valid.")
        claims = self.signed[token]
        scopes = frozenset(claims["scope"].split())
        return VerifiedToken(claims.get("by", ""), claims["azp"], scopes, claims["exp"])


class FakeProvenHistory:
    """Events in memory: the tree over them, the book that signs for it, and their bytes."""

    origin = "site/a-tenant"

    def __init__(self) -> None:
        self.events = [
            StoredBytes(Position(n), f"hook:{n}", 1, "hook.created", b'{"n":%d}' % n)
            for n in range(1, 21)
        ]
        self.private = new_private_key()
        self.issued: list[IssuedCheckpoint] = []
        report = Report(Verdict.INTACT, 20, 20, 3, None, (), None)
        self.finding: Verification | HookledgerError = Verification(report, (), ())

    def leaves(self, size: int) -> list[bytes]:
        if size > len(self.events):
            raise NotFound(f"The log holds {len(self.events)} events.")
        return [
            event_hash(e.position, e.stream, e.version, e.topic, e.state)
            for e in self.events[:size]
        ]

    def size(self) -> int:
        return len(self.events)

    def root(self, size: int) -> bytes:
        return root_hash(size, self._subtree(size))

    def newest_position(self, size: int) -> Position:
        return Position(size)

    def inclusion(self, positions: Sequence[Position], size: int) -> list[InclusionProof]:
        leaves, subtree = self.leaves(size), self._subtree(size)
        if any(not 1 <= position <= size for position in positions):
            raise NotFound("There is no such event.")
        return [
            InclusionProof(
                position,
                position - 1,
                size,
                leaves[position - 1],
                tuple(inclusion_proof(position - 1, size, subtree)),
                self.root(size),
            )
            for position in positions
        ]

    def consistency(self, old: int, new: int) -> ConsistencyProof:
        proof = tuple(consistency_proof(old, new, self._subtree(new)))
        return ConsistencyProof(old, new, self.root(old), self.root(new), proof)

    def at(self, positions: Sequence[Position]) -> list[StoredBytes]:
        return [self.events[position - 1] for position in positions]

    def newest(self) -> IssuedCheckpoint | None:
        return self.issued[-1] if self.issued else None

    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        return (VerifierKey(self.origin, public_key_of(self.private)),)

    def issue(self, size: int, root: bytes) -> IssuedCheckpoint:
        (key,), checkpoint = self.verifier_keys(), Checkpoint(self.origin, size, root)
        line = NoteSignature(key.name, key.key_id, sign(self.private, checkpoint.text.encode()))
        note = str(SignedNote(checkpoint.text, (line,)))
        self.issued.append(IssuedCheckpoint(SignedCheckpoint(checkpoint, note, key), NOW))
        return self.issued[-1]

    def verify(self, progress: Callable[[int], None]) -> Verification:
        """Find every event as it was signed, unless told to find something else."""
        progress(self.size() // 2)
        if isinstance(self.finding, HookledgerError):
            raise self.finding
        return self.finding

    def _subtree(self, size: int) -> Subtree:
        leaves = self.leaves(size)
        return lambda level, index: complete_hash(leaves[index << level : (index + 1) << level])
