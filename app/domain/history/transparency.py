"""Merkle trees of RFC 6962 (section 2.1): hashes, roots, proofs; pure arithmetic over bytes.

The tree hash of a list of leaves splits it at the largest power of two below its length, so that
every *complete* subtree (2**level leaves, at a multiple of that) keeps its hash for ever while the
tree grows. Whoever stores those hashes answers roots and proofs of every size, past ones included,
from O(log n) of them. A leaf here is an event, by its header and the digest of its stored bytes
(ADR 0011), so that an event can be proved without showing its content.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""

ENTRY_PREFIX = b"hookledger-event-v1\n"
"""Begins every leaf's data: no other kind of leaf, of ours or others, encodes to the same bytes."""

Subtree = Callable[[int, int], bytes]
"""By ``(level, index)``: hash of the complete subtree of ``2**level`` leaves that is number
``index`` of its level, from 0."""

_sha256 = hashlib.sha256
_HEAD = struct.Struct(">QQII").pack


def state_digest(state: bytes) -> bytes:
    """Hash the stored bytes of an event."""
    return _sha256(state).digest()


def leaf_data(position: int, stream: str, version: int, topic: str, digest: bytes) -> bytes:
    """Encode an event so that no other event gives the same bytes; ``digest`` is of its state.

    The prefix; position and version as 64-bit, the lengths of stream and topic (UTF-8) as 32-bit
    big-endian numbers; stream; topic; 32 bytes of digest.
    """
    name, kind = stream.encode("utf-8", "surrogatepass"), topic.encode("utf-8", "surrogatepass")
    head = _HEAD(position, version, len(name), len(kind))
    return b"".join((ENTRY_PREFIX, head, name, kind, digest))


def leaf_hash(data: bytes) -> bytes:
    """Hash a leaf's data."""
    return _sha256(b"\x00" + data).digest()


def event_hash(position: int, stream: str, version: int, topic: str, state: bytes) -> bytes:
    """Hash an event as a leaf."""
    return leaf_hash(leaf_data(position, stream, version, topic, state_digest(state)))


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one."""
    return _sha256(b"\x01" + left + right).digest()


def complete_hash(hashes: Sequence[bytes]) -> bytes:
    """Hash neighbouring subtrees of equal size into one; there must be a power of two of them."""
    level = list(hashes)
    while len(level) > 1:
        level = [
            _sha256(b"\x01" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=True)
        ]
    return level[0]


def root_hash(size: int, subtree: Subtree) -> bytes:
    """Return the root of the first ``size`` leaves."""
    return _range_hash(0, size, subtree) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the audit path of leaf ``index`` in the tree of ``size`` leaves, from the leaf up.

    Raises ``ValueError`` unless ``0 <= index < size``.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} among {size}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_range_hash(middle, end, subtree))
            end = middle
        else:
            path.append(_range_hash(begin, middle, subtree))
            begin = middle
    return path[::-1]


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that the tree of ``new`` leaves extends that of ``old``.

    Empty for equal sizes. Raises ``ValueError`` unless ``0 < old <= new``.
    """
    if not 0 < old <= new:
        raise ValueError(f"there is no proof from {old} to {new} leaves")
    proof: list[bytes] = []
    begin, end, whole = 0, new, True
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            proof.append(_range_hash(middle, end, subtree))
            end = middle
        else:
            proof.append(_range_hash(begin, middle, subtree))
            begin, whole = middle, False
    if not whole:
        proof.append(_range_hash(begin, end, subtree))
    return proof[::-1]


def root_of_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path proves (RFC 9162, 2.1.3.2); None if it has another length."""
    if not 0 <= index < size:
        return None
    here, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if here & 1 or here == last:
            root = node_hash(sibling, root)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        here, last = here >> 1, last >> 1
    return root if last == 0 else None


def roots_of_consistency(
    old: int, new: int, old_root: bytes, proof: Sequence[bytes]
) -> tuple[bytes, bytes] | None:
    """Return the roots of both sizes that a proof proves (RFC 9162, 2.1.4.2); None if it cannot."""
    if not 0 < old <= new or (old == new) != (not proof):
        return None
    if old == new:
        return old_root, old_root
    hashes = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return None
        if here & 1 or here == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        here, last = here >> 1, last >> 1
    return (before, after) if last == 0 else None


def is_consistent(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether ``proof`` proves that the later tree extends the earlier one."""
    return roots_of_consistency(old, new, old_root, proof) == (old_root, new_root)


class GrowingTree:
    """A tree that is only appended to and asked for its root: O(log n) of memory."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []
        """Hashes of the complete subtrees that the leaves fall into, the largest first."""

    def append(self, leaf: bytes) -> None:
        """Add one leaf, by its hash."""
        self._add(leaf, 0)

    def append_complete(self, hashes: Sequence[bytes]) -> None:
        """Add a power of two of leaves at once; the size must be a multiple of their number."""
        self._add(complete_hash(hashes), len(hashes).bit_length() - 1)

    def root(self, further: Sequence[bytes] = ()) -> bytes:
        """Return the root, as it would be with ``further`` leaves appended."""
        tree = GrowingTree()
        tree.size, tree._peaks = self.size, self._peaks.copy()
        for leaf in further:
            tree.append(leaf)
        return tree._bagged()

    def _add(self, subtree: bytes, level: int) -> None:
        here = self.size >> level
        while here & 1:
            subtree = node_hash(self._peaks.pop(), subtree)
            here >>= 1
        self._peaks.append(subtree)
        self.size += 1 << level

    def _bagged(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        *others, root = self._peaks
        for peak in reversed(others):
            root = node_hash(peak, root)
        return root


def subtrees_of(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Name the complete subtrees, as ``(level, index)``, that make up the leaves of a range.

    ``begin`` must be a multiple of the largest power of two below the number of leaves.
    """
    while begin < end:
        level = (end - begin).bit_length() - 1
        yield level, begin >> level
        begin += 1 << level


def _split(length: int) -> int:
    """Return the largest power of two below ``length``."""
    return 1 << ((length - 1).bit_length() - 1)


def _range_hash(begin: int, end: int, subtree: Subtree) -> bytes:
    *others, root = (subtree(level, index) for level, index in subtrees_of(begin, end))
    for left in reversed(others):
        root = node_hash(left, root)
    return root
