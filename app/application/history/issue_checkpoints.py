"""Sign for the history as it grows, and prove from it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from app.application.history.transparency_ports import (
    Anchor,
    CheckpointBook,
    ConsistencyProof,
    InclusionProof,
    IssuedCheckpoint,
    StoredBytes,
    StoredEvents,
    TransparencyLog,
)
from app.domain.errors import HookledgerError, Stalled
from app.domain.history.checkpoints import VerifierKey
from app.domain.revisions import Position

_log = logging.getLogger("hookledger.transparency")


class HistoryProver:
    """Issues checkpoints, each consistent with all before it, and proofs. Blocking, thread-safe."""

    def __init__(
        self,
        log: TransparencyLog,
        book: CheckpointBook,
        events: StoredEvents,
        anchors: Sequence[Anchor] = (),
        late: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Make one; ``late`` says what is wrong with anchors that take their time."""
        self._log = log
        self._book = book
        self._events = events
        self._anchors = anchors
        self._late = late
        self._issuing = threading.Lock()
        self._unanchored: str | None = None
        self._contradiction: str | None = None

    @property
    def anchoring_problem(self) -> str | None:
        """Why the newest checkpoint is not everywhere it should be."""
        return " ".join(filter(None, (self._unanchored, self._late()))) or None

    @property
    def contradiction(self) -> str | None:
        """Why nothing is signed, if the history is found to be altered."""
        return self._contradiction

    def checkpoint(self) -> IssuedCheckpoint:
        """Return a checkpoint of all that the log holds; one is made if it has grown.

        Raises ``Stalled``, and signs nothing, if the log is not an extension of what was signed.
        """
        with self._issuing:
            newest, size = self._book.newest(), self._log.size()
            if newest is not None:
                signed = newest.signed.checkpoint.size
                if signed > size:  # the tree is being filled, e.g. after an upgrade
                    return newest
                self._refuse_to_contradict(newest)
                if signed == size and newest.signed.key == self._book.verifier_keys()[0]:
                    return newest
            issued = self._book.issue(size, self._log.root(size))
            self._anchor(issued.signed.note)
            return issued

    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """Return the keys that verify checkpoints, the one that signs now first."""
        return self._book.verifier_keys()

    def inclusion(
        self, position: Position, size: int | None = None
    ) -> tuple[StoredBytes, InclusionProof]:
        """Prove an event, in the tree of the newest checkpoint if no size is given.

        Raises ``NotFound`` if there is no such event in that tree.
        """
        size = self.checkpoint().signed.checkpoint.size if size is None else size
        (proof,) = self._log.inclusion([position], size)
        (event,) = self._events.at([position])
        return event, proof

    def inclusions(
        self, positions: Sequence[Position], size: int
    ) -> list[tuple[StoredBytes, InclusionProof]]:
        """Prove several events at once; raises as ``inclusion`` does."""
        proofs = self._log.inclusion(positions, size)
        return list(zip(self._events.at(positions), proofs, strict=True))

    def consistency(self, old: int, new: int | None = None) -> ConsistencyProof:
        """Prove that the log only grew, up to the newest checkpoint if no later size is given."""
        new = self.checkpoint().signed.checkpoint.size if new is None else new
        return self._log.consistency(old, new)

    def newest_position(self, size: int) -> Position:
        """Return the position of the last event in the tree of ``size`` leaves; 0 for none."""
        return self._log.newest_position(size)

    def _refuse_to_contradict(self, newest: IssuedCheckpoint) -> None:
        signed = newest.signed.checkpoint
        if self._log.root(signed.size) == signed.root:
            self._contradiction = None
            return
        self._contradiction = (
            f"The history contradicts the checkpoint of {signed.size} events that was signed "
            f"at {newest.made_at.isoformat()}: it was changed since. Nothing is signed. "
            "Run `hookledger audit verify`: it says whether events or only the tree were changed."
        )
        raise Stalled(self._contradiction)

    def _anchor(self, note: str) -> None:
        """Put the note outside; what fails is told, and the next note stands for this one too."""
        problems = []
        for anchor in self._anchors:
            try:
                anchor(note)
            except HookledgerError as error:
                problems.append(str(error))
                _log.warning("checkpoint_not_anchored", extra={"reason": str(error)})
        self._unanchored = " ".join(problems) or None
