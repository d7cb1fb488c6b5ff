"""The arithmetic of RFC 6962, against its own recursive definition and an independent library."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from pymerkle import verify_consistency as library_verifies_consistency
from pymerkle import verify_inclusion as library_verifies_inclusion
from pymerkle.core import _consistency_path_layout, _inclusion_path_layout
from pymerkle.proof import ConsistencyProof, InclusionProof

from app.domain.history.transparency import (
    EMPTY_ROOT,
    GrowingTree,
    Subtree,
    _range_hash,
    complete_hash,
    consistency_proof,
    event_hash,
    inclusion_proof,
    is_consistent,
    leaf_data,
    leaf_hash,
    root_hash,
    root_of_inclusion,
    state_digest,
)

SIZES = st.integers(1, 300)


def leaf_of(number: int) -> bytes:
    return leaf_hash(b"entry %d" % number)


LEAVES = [leaf_of(number) for number in range(300)]


def recursive_root(leaves: Sequence[bytes]) -> bytes:
    """Compute MTH as RFC 6962 writes it down."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = recursive_root(leaves[:split]), recursive_root(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def subtrees(leaves: Sequence[bytes]) -> Subtree:
    def subtree(level: int, index: int) -> bytes:
        found = leaves[index << level : (index + 1) << level]
        assert len(found) == 1 << level, "only complete subtrees are asked for"
        return complete_hash(found)

    return subtree


def library_tree(size: int) -> Any:
    tree = InmemoryTree(algorithm="sha256")
    for number in range(size):
        tree.append_entry(b"entry %d" % number)
    return tree


def test_the_first_roots_are_those_of_certificate_transparency() -> None:
    """Vectors of the reference implementation of RFC 6962."""
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", ""]
    entries[7] = "606162636465666768696a6b6c6d6e6f"
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in entries]
    roots = [root_hash(size, subtrees(leaves)).hex() for size in range(9)]
    assert roots == [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]


@given(size=st.integers(0, 300))
def test_a_root_is_the_one_of_the_recursive_definition(size: int) -> None:
    expected = recursive_root(LEAVES[:size])
    tree = GrowingTree()
    for leaf in LEAVES[:size]:
        tree.append(leaf)

    assert root_hash(size, subtrees(LEAVES)) == expected
    assert tree.root() == expected


@given(complete=st.integers(0, 4), single=st.integers(0, 40), further=st.integers(0, 20))
def test_a_growing_tree_takes_leaves_alone_in_blocks_and_for_the_sake_of_argument(
    complete: int, single: int, further: int
) -> None:
    tree = GrowingTree()
    for block in range(complete):
        tree.append_complete(LEAVES[block * 32 : (block + 1) * 32])
    for leaf in LEAVES[complete * 32 : complete * 32 + single]:
        tree.append(leaf)
    size = complete * 32 + single

    assert tree.size == size
    assert tree.root(LEAVES[size : size + further]) == recursive_root(LEAVES[: size + further])
    assert tree.root() == recursive_root(LEAVES[:size])


@given(data=st.data(), size=SIZES)
def test_an_inclusion_proof_convinces_us_and_the_library(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_proof(index, size, subtrees(LEAVES))
    root = recursive_root(LEAVES[:size])

    assert root_of_inclusion(index, size, LEAVES[index], path) == root
    rule, _ = _inclusion_path_layout(index + 1, size)
    proof = InclusionProof("sha256", True, size, index + 1, rule, [LEAVES[index], *path])
    library_verifies_inclusion(LEAVES[index], root, proof, index=index + 1, size=size)


@given(data=st.data(), new=SIZES)
def test_a_consistency_proof_convinces_us_and_the_library(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new))
    hashes = consistency_proof(old, new, subtrees(LEAVES))
    before, after = recursive_root(LEAVES[:old]), recursive_root(LEAVES[:new])

    assert is_consistent(old, new, before, after, hashes)
    # The library cuts the same tree in its own way; what it asks for, our subtrees answer.
    rule, subset, ranges = _consistency_path_layout(old, new)
    path = [_range_hash(begin, end, subtrees(LEAVES)) for begin, end in ranges]
    proof = ConsistencyProof("sha256", True, new, old, rule, subset, path)
    library_verifies_consistency(before, after, proof, prior_size=old, later_size=new)


def test_the_library_builds_the_same_tree() -> None:
    tree = library_tree(100)
    for size in (1, 2, 3, 64, 65, 99, 100):
        assert tree.get_root(size) == root_hash(size, subtrees(LEAVES))


@given(data=st.data(), size=st.integers(2, 100))
def test_a_proof_of_anything_else_is_refused(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index))
    path = inclusion_proof(index, size, subtrees(LEAVES))
    root = recursive_root(LEAVES[:size])

    assert root_of_inclusion(index, size, LEAVES[other], path) != root
    assert root_of_inclusion(other, size, LEAVES[index], path) != root
    assert root_of_inclusion(index, size, LEAVES[index], path[:-1]) != root
    assert root_of_inclusion(index, size, LEAVES[index], [*path, path[-1]]) != root
    assert root_of_inclusion(size, size, LEAVES[index], path) is None


@given(data=st.data(), new=st.integers(2, 100))
def test_a_history_that_was_changed_is_not_consistent(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new - 1))
    changed = data.draw(st.integers(0, old - 1))
    forged = [*LEAVES[:changed], leaf_of(1000), *LEAVES[changed + 1 : new]]
    hashes = consistency_proof(old, new, subtrees(forged))

    assert not is_consistent(old, new, recursive_root(LEAVES[:old]), recursive_root(forged), hashes)
    assert not is_consistent(
        old, new, recursive_root(forged[:old]), recursive_root(LEAVES[:new]), []
    )


@pytest.mark.parametrize(("old", "new"), [(0, 5), (6, 5), (-1, 5)])
def test_there_is_no_consistency_proof_between_impossible_sizes(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no proof"):
        consistency_proof(old, new, subtrees(LEAVES))
    assert not is_consistent(old, new, EMPTY_ROOT, EMPTY_ROOT, [])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_there_is_no_inclusion_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, subtrees(LEAVES))


def test_events_that_differ_in_anything_are_different_leaves() -> None:
    events = [
        (1, "hook:a", 1, "hook.created", b"{}"),
        (2, "hook:a", 1, "hook.created", b"{}"),
        (1, "hook:ab", 1, "hook.created", b"{}"),
        (1, "hook:a", 2, "hook.created", b"{}"),
        (1, "hook:a", 1, "hook.deleted", b"{}"),
        (1, "hook:a", 1, "hook.created", b"{ }"),
        (1, "hook:ah", 1, "ook.created", b"{}"),
        (1, "", 1, "hook:ahook.created", b"{}"),
    ]
    assert len({event_hash(*event) for event in events}) == len(events)


def test_a_leaf_is_encoded_as_it_is_documented() -> None:
    digest = state_digest(b'{"a":1}')
    assert leaf_data(258, "hook:é", 3, "hook.created", digest) == (
        b"hookledger-event-v1\n"
        b"\x00\x00\x00\x00\x00\x00\x01\x02"
        b"\x00\x00\x00\x00\x00\x00\x00\x03"
        b"\x00\x00\x00\x07\x00\x00\x00\x0c"
        b"hook:\xc3\xa9hook.created" + hashlib.sha256(b'{"a":1}').digest()
    )
