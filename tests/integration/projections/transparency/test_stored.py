"""The stored tree: the same as one in memory, whatever the batches, gaps and unknown events."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree, verify_inclusion
from pymerkle.core import _inclusion_path_layout
from pymerkle.proof import InclusionProof

from app.domain.errors import NotFound, Rejected, Stalled
from app.domain.history.transparency import (
    is_consistent,
    leaf_data,
    root_of_inclusion,
    state_digest,
)
from app.domain.revisions import Position
from projections.event_log import Recorded
from projections.rebuild import rebuild
from projections.transparency.stored import StoredTransparencyLog


def facts(positions: Sequence[int]) -> list[Recorded]:
    return [
        Recorded(Position(n), f"hook:{n % 7}", n, "hook.created", None, b"{%d}" % n)
        for n in positions
    ]


def data_of(fact: Recorded) -> bytes:
    digest = state_digest(fact.state)
    return leaf_data(fact.position, fact.stream, fact.version, fact.topic, digest)


def library_tree(recorded: Sequence[Recorded]) -> Any:
    """Build the same tree by an independent library, which hashes the leaves itself."""
    tree = InmemoryTree(algorithm="sha256")
    for fact in recorded:
        tree.append_entry(data_of(fact))
    return tree


@pytest.fixture
def tree(world: Any) -> StoredTransparencyLog:
    found: StoredTransparencyLog = world.tree
    return found


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    batches=st.lists(st.integers(1, 300), min_size=1, max_size=6),
    data=st.data(),
)
def test_it_equals_the_librarys_tree_whatever_the_batches(
    tree: StoredTransparencyLog, batches: list[int], data: st.DataObject
) -> None:
    tree.reset()
    every = facts(range(1, sum(batches) + 1))
    done = 0
    for batch in batches:
        tree.apply(Position(done), every[done : done + batch])
        done += batch
    theirs = library_tree(every)
    size = data.draw(st.integers(1, done))
    position = data.draw(st.integers(1, size))
    old = data.draw(st.integers(1, size))

    assert tree.size() == done
    assert tree.root(done) == theirs.get_root(done)
    assert tree.root(size) == theirs.get_root(size)
    (proof,) = tree.inclusion([Position(position)], size)
    rule, _ = _inclusion_path_layout(position, size)
    path = [theirs.get_leaf(position), *proof.hashes]
    verify_inclusion(
        theirs.get_leaf(position),
        theirs.get_root(size),
        InclusionProof("sha256", True, size, position, rule, path),
        index=position,
        size=size,
    )
    grown = tree.consistency(old, size)
    assert (grown.old_root, grown.new_root) == (theirs.get_root(old), theirs.get_root(size))
    assert is_consistent(old, size, grown.old_root, grown.new_root, grown.hashes)


def test_positions_with_gaps_are_leaves_by_rank(tree: StoredTransparencyLog) -> None:
    positions = [1, 2, 5, 6, 7, 10, 4000, 4001]
    every = facts(positions)
    tree.apply(Position(0), every[:3])
    tree.apply(Position(5), every[3:])
    theirs = library_tree(every)

    assert tree.size() == len(positions)
    assert tree.newest_position(3) == 5
    proofs = tree.inclusion([Position(each) for each in positions], len(positions))
    for index, proof in enumerate(proofs):
        assert (proof.index, proof.leaf) == (index, theirs.get_leaf(index + 1))
        reached = root_of_inclusion(index, len(positions), proof.leaf, proof.hashes)
        assert reached == theirs.get_root(len(positions))
    for absent in (0, 3, 4, 8, 9, 3999, 4002):
        with pytest.raises(NotFound):
            tree.inclusion([Position(absent)], len(positions))


def test_what_is_beyond_the_tree_is_not_found(tree: StoredTransparencyLog) -> None:
    tree.apply(Position(0), facts(range(1, 11)))
    with pytest.raises(NotFound, match="holds 10 events"):
        tree.root(11)
    with pytest.raises(NotFound):
        tree.inclusion([Position(9)], 8)
    with pytest.raises(NotFound):
        tree.consistency(5, 11)
    for old, new in ((0, 5), (6, 5)):
        with pytest.raises(Rejected):
            tree.consistency(old, new)


@pytest.mark.parametrize("damage", ["DELETE FROM {}", "UPDATE {} SET hashes = X'00'"])
def test_a_damaged_tree_is_told_with_the_remedy(
    world: Any, tree: StoredTransparencyLog, damage: str
) -> None:
    tree.apply(Position(0), facts(range(1, 600)))
    with contextlib.closing(sqlite3.connect(world.path)) as other, other:
        other.execute(damage.format("transparency_v1_g1_tiles") + " WHERE number = 0")
    for ask in (
        lambda: tree.root(599),
        lambda: tree.inclusion([Position(3)], 599),
        lambda: tree.consistency(3, 599),
    ):
        with pytest.raises(Stalled, match="Run `hookledger rebuild`"):
            ask()


def test_an_event_nobody_understands_is_a_leaf_like_any_other(
    world: Any, tree: StoredTransparencyLog
) -> None:
    with world.by("alice"):
        world.create_hook(1)
    with contextlib.closing(sqlite3.connect(world.path)) as other, other:
        other.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) "
            "VALUES ('hook:new', 1, 'hook.sharded', X'FF00')"
        )
    world.feed(tree)

    assert tree.size() == world.ledger.head()
    assert tree.root(3) == library_tree(world.log.select(Position(0), 10)).get_root(3)


def test_a_rebuilt_tree_has_the_same_roots(world: Any, tree: StoredTransparencyLog) -> None:
    for number in range(1, 40):
        with world.by("alice"):
            world.create_hook(number)
    world.feed(tree, batch=7)
    before = [tree.root(size) for size in range(tree.size() + 1)]

    list(rebuild(world.views, world.log, group=11))

    assert [tree.root(size) for size in range(tree.size() + 1)] == before
