"""The Merkle tree over all events (RFC 6962), as a stored view.

Leaves are the events in the order of their positions. An event is a leaf whether this version of
the server understands it or not: what is hashed are the stored bytes.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Iterator, Sequence

from app.application.history.transparency_ports import ConsistencyProof, InclusionProof
from app.domain.errors import NotFound, Rejected, Stalled
from app.domain.history.transparency import (
    consistency_proof,
    event_hash,
    inclusion_proof,
    root_hash,
)
from app.domain.revisions import Position
from projections.database import Session, Write
from projections.event_log import PoisonEvent, Recorded
from projections.transparency.tiles import GAPS, TILES, Edge, StoredTree
from projections.views import Replay, StoredView, Tables


class StoredTransparencyLog(StoredView):
    """Implements the port ``TransparencyLog``; each answer is from one snapshot."""

    name = "transparency_v1"

    def size(self) -> int:
        """Return the number of leaves taken in."""
        with self._reading() as tree:
            return tree.size()

    def root(self, size: int) -> bytes:
        """Return the root of the first ``size`` leaves; raise ``NotFound`` if there are fewer."""
        with self._reading() as tree:
            return root_hash(size, _grown(tree, size).subtree)

    def newest_position(self, size: int) -> Position:
        """Return the position of the last of the first ``size`` leaves; 0 for none."""
        with self._reading() as tree:
            return Position(_grown(tree, size).position_of(size - 1) if size else 0)

    def inclusion(self, positions: Sequence[Position], size: int) -> list[InclusionProof]:
        """Prove that the events are in the tree of ``size`` leaves.

        Raises ``NotFound`` if one is not, or the tree has not grown so far.
        """
        with self._reading() as tree:
            root = root_hash(size, _grown(tree, size).subtree)
            return [_inclusion(tree, position, size, root) for position in positions]

    def consistency(self, old: int, new: int) -> ConsistencyProof:
        """Prove that the tree of ``new`` leaves extends that of ``old``.

        Raises ``Rejected`` for impossible sizes, ``NotFound`` if the tree has not grown so far.
        """
        if not 0 < old <= new:
            raise Rejected(f"A tree of {new} leaves cannot extend one of {old}.")
        with self._reading() as tree:
            _grown(tree, new)
            return ConsistencyProof(
                old,
                new,
                root_hash(old, tree.subtree),
                root_hash(new, tree.subtree),
                tuple(consistency_proof(old, new, tree.subtree)),
            )

    @contextlib.contextmanager
    def _reading(self) -> Iterator[StoredTree]:
        with self._database.read() as session:
            try:
                yield StoredTree(session, self._tables(session))
            except LookupError as error:
                raise Stalled(
                    f"The stored Merkle tree is damaged: {error}. Run `hookledger rebuild`."
                ) from error

    def _create(self, session: Session, tables: Tables) -> None:
        session.run(tables.sql(TILES % self._database.bytes_type))
        session.run(tables.sql(GAPS % self._database.position_key))

    def _drop(self, session: Session, tables: Tables) -> None:
        for table in ("tiles", "gaps"):
            session.run(f"DROP TABLE IF EXISTS {tables.table(table)}")

    def _write(self, session: Session, tables: Tables, recorded: Sequence[Recorded]) -> None:
        for write in _Growth(StoredTree(session, tables).edge()).take(recorded):
            write(session)

    def replay(self, tables: Tables) -> Replay:
        return _Growth(Edge(tables))


class _Growth(Replay):
    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    def take(self, recorded: Sequence[Recorded]) -> Iterable[Write]:
        return self._edge.append([(fact.position, _leaf(fact)) for fact in recorded])


def _leaf(fact: Recorded) -> bytes:
    try:
        return event_hash(fact.position, fact.stream, fact.version, fact.topic, fact.state)
    except (TypeError, AttributeError, struct.error) as error:
        raise PoisonEvent(fact, "its columns hold what no server has written.") from error


def _grown(tree: StoredTree, size: int) -> StoredTree:
    if size > (held := tree.size()):
        raise NotFound(f"The log holds {held} events, so there is no tree of {size} leaves.")
    return tree


def _inclusion(tree: StoredTree, position: Position, size: int, root: bytes) -> InclusionProof:
    index = tree.index_of(position)
    if not 0 <= index < size or tree.position_of(index) != position:
        raise NotFound(f"No event at position {position} is among the first {size}.")
    hashes = inclusion_proof(index, size, tree.subtree)
    return InclusionProof(position, index, size, tree.subtree(0, index), tuple(hashes), root)
