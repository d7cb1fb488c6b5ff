"""Compare the stored events, byte by byte, with the stored tree and with every checkpoint.

Pure: it is given what was read. The events are hashed anew; neither the tree nor the server's word
is taken for anything. Where the tree contradicts the events, checkpoints decide which of them was
changed; where somebody made the tree anew after changing events, only checkpoints contradict.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.domain.history.checkpoints import SignedCheckpoint
from app.domain.history.transparency import (
    HASH_BYTES,
    GrowingTree,
    complete_hash,
    event_hash,
)

Row = tuple[Any, ...]
"""Position, stream, version, topic and state, as a table row has them: whoever changed it may have
put in anything."""

Progress = Callable[[int], None]
"""Called with the number of events done."""

BLOCK = 256
"""Leaves in a tile of the stored tree."""
_BLOCK_LEVEL = 8


class Verdict(enum.StrEnum):
    """What came out."""

    INTACT = "intact"
    ALTERED = "altered"
    """Events were changed, removed, put in or moved after they were recorded."""
    DAMAGED = "damaged"
    """The events are as they were signed; what is derived from them is not."""


class TreeContent(Protocol):
    """The stored tree."""

    def size(self) -> int:
        """Return the number of leaves."""
        ...

    def leaf_tiles(self) -> Iterator[bytes]:
        """Return the leaves' hashes, 256 at a time."""
        ...

    def subtree(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree; raises ``LookupError`` if it is not stored."""
        ...

    def position_of(self, index: int) -> int:
        """Return the position of the event that is a leaf."""
        ...


@dataclass(frozen=True, slots=True)
class FoundCheckpoint:
    """A checkpoint whose signature was verified, and where it was found."""

    where: str
    signed: SignedCheckpoint

    @property
    def size(self) -> int:
        return self.signed.checkpoint.size

    def __str__(self) -> str:
        """Name it for people."""
        key = self.signed.key
        return f"the checkpoint of {self.size} events ({self.where}, key {key.key_id.hex()})"


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, and what does not agree."""

    verdict: Verdict
    events: int
    tree_size: int | None
    """None if there was no tree to compare."""
    agreeing: int
    """Checkpoints that the events agree with."""
    newest_agreeing: FoundCheckpoint | None
    contradicting: tuple[FoundCheckpoint, ...]
    first_bad: int | None
    """Position of the first event that is not what was recorded, if the tree tells it."""
    messages: tuple[str, ...] = ()


@dataclass(slots=True)
class _Comparison:
    """What is known so far."""

    tree: TreeContent | None
    due: list[FoundCheckpoint]
    """Those not reached yet, the smallest last."""
    growing: GrowingTree = field(default_factory=GrowingTree)
    agreeing: list[FoundCheckpoint] = field(default_factory=list)
    contradicting: list[FoundCheckpoint] = field(default_factory=list)
    bad_index: int | None = None
    bad_message: str = ""
    bad_position: int | None = None
    blocks: list[bytes] = field(default_factory=list)


def verify_history(
    rows: Iterable[Sequence[Row]],
    tree: TreeContent | None,
    checkpoints: Iterable[FoundCheckpoint],
    progress: Progress = lambda _: None,
) -> Report:
    """Recompute everything; ``rows`` come in blocks of 256, in the order of positions."""
    due = sorted(checkpoints, key=lambda found: found.size, reverse=True)
    state = _Comparison(tree, due)
    tiles = tree.leaf_tiles() if tree is not None else iter(())
    last: list[bytes] = []
    for block in rows:
        last = [_leaf(row) for row in block]
        if tree is not None and state.bad_index is None:
            _compare_tile(state, block, last, next(tiles, b""))
        _meet_checkpoints(state, last)
        if len(last) == BLOCK:
            state.blocks.append(complete_hash(last))
            state.growing.append_complete(last)
            last = []
        progress(state.growing.size + len(last))
    _meet_checkpoints(state, last)
    events = state.growing.size + len(last)
    if tree is not None and state.bad_index is None and events < tree.size():
        expected = tree.position_of(events)
        _found(
            state,
            events,
            expected,
            f"Event {expected} is missing, and everything after it: the tree has "
            f"{tree.size()} events, the database {events}.",
        )
    return _report(state, events)


def _leaf(row: Row) -> bytes:
    """Hash a row; what the server would not have written cannot equal what it has written."""
    position, stream, version, topic, state = row
    try:
        return event_hash(position, stream, version, topic, state)
    except (TypeError, AttributeError, struct.error):
        return b"\0" * HASH_BYTES


def _meet_checkpoints(state: _Comparison, further: Sequence[bytes]) -> None:
    """Judge the checkpoints whose size lies within what has been read."""
    size = state.growing.size
    while state.due and state.due[-1].size <= size + len(further):
        found = state.due.pop()
        root = state.growing.root(further[: found.size - size])
        agrees = root == found.signed.checkpoint.root
        (state.agreeing if agrees else state.contradicting).append(found)


def _compare_tile(
    state: _Comparison, block: Sequence[Row], leaves: Sequence[bytes], tile: bytes
) -> None:
    stored = len(tile) // HASH_BYTES
    if b"".join(leaves[:stored]) == tile:
        return
    begin = state.growing.size
    for number in range(stored):
        expected = state.tree.position_of(begin + number) if state.tree else 0
        if number >= len(leaves):
            return  # the rows ended, which is told at the end
        if leaves[number] != tile[number * HASH_BYTES : (number + 1) * HASH_BYTES]:
            _found(state, begin + number, expected, _told(block[number], expected))
            return


def _told(row: Row, expected: int) -> str:
    position, stream, version, topic, _ = row
    if isinstance(position, int) and position > expected:
        return f"Event {expected} is missing: the next one there is {position}."
    if isinstance(position, int) and position < expected:
        return f"Event {position} was put in: the tree has no event between its neighbours."
    return (
        f"Event {position} (`{topic}`, version {version} of `{stream}`) is not the one that was "
        "recorded there: it was changed, moved or put in."
    )


def _found(state: _Comparison, index: int, position: int, message: str) -> None:
    state.bad_index, state.bad_position, state.bad_message = index, position, message


def _report(state: _Comparison, events: int) -> Report:
    newest = max(state.agreeing, key=lambda found: found.size, default=None)
    unreached = tuple(reversed(state.due))
    contradicting = (*state.contradicting, *unreached)
    messages = []
    verdict = Verdict.INTACT
    vouched = newest is not None and state.bad_index is not None and newest.size > state.bad_index
    if state.bad_index is not None and vouched and not contradicting:
        verdict = Verdict.DAMAGED
        messages.append(
            f"The stored tree does not hold event {state.bad_position} as it is, but {newest} "
            "agrees with the events: the tree is damaged. Run `hookledger rebuild`."
        )
    elif state.bad_index is not None:
        verdict = Verdict.ALTERED
        messages.append(state.bad_message)
    if contradicting:
        verdict = Verdict.ALTERED
        messages += _contradictions(state, newest, contradicting, events)
    if verdict is Verdict.INTACT and (problem := _damage(state)):
        verdict = Verdict.DAMAGED
        messages.append(problem)
    return Report(
        verdict=verdict,
        events=events,
        tree_size=state.tree.size() if state.tree is not None else None,
        agreeing=len(state.agreeing),
        newest_agreeing=newest,
        contradicting=contradicting,
        first_bad=state.bad_position if verdict is Verdict.ALTERED else None,
        messages=tuple(messages),
    )


def _contradictions(
    state: _Comparison,
    newest: FoundCheckpoint | None,
    contradicting: Sequence[FoundCheckpoint],
    events: int,
) -> Iterator[str]:
    first = contradicting[0]
    good = [found for found in state.agreeing if found.size < first.size]
    begin = max((found.size for found in good), default=0) + 1
    if first.size > events:
        yield (
            f"{_begun(first)} was signed, but the database holds {events}: "
            f"{first.size - events} or more were removed."
        )
    else:
        yield (
            f"{_begun(first)} contradicts the events: something among number {begin} "
            f"to {first.size} was changed after it was signed."
        )
    if state.tree is not None and state.bad_index is None:
        yield (
            "The stored tree agrees with the changed events, so it was made anew after the change; "
            "compare with a backup to see which event it is."
        )
    if len(contradicting) > 1:
        yield f"{len(contradicting) - 1} further checkpoints contradict the events."
    if newest is not None and newest.size > first.size:
        yield f"{_begun(newest)} was signed after the change."


def _begun(found: FoundCheckpoint) -> str:
    text = str(found)
    return text[0].upper() + text[1:]


def _damage(state: _Comparison) -> str | None:
    """Compare the hashes above the leaves, from which proofs are made."""
    if state.tree is None:
        return None
    level, hashes = _BLOCK_LEVEL, state.blocks
    complete = state.tree.size() >> level
    while complete:
        for index, expected in enumerate(hashes[:complete]):
            try:
                stored = state.tree.subtree(level, index)
            except LookupError:
                stored = b""
            if stored != expected:
                return (
                    f"The events are intact, but the stored tree is damaged (level {level}, "
                    f"number {index}): its proofs would be wrong. Run `hookledger rebuild`."
                )
        hashes = [
            complete_hash(hashes[at : at + BLOCK])
            for at in range(0, len(hashes) - BLOCK + 1, BLOCK)
        ]
        level += _BLOCK_LEVEL
        complete >>= _BLOCK_LEVEL
    return None
