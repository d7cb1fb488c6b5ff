"""Evidence that a stranger can check: events, where they stand in the tree, and who signed for it.

A bundle is NDJSON: a head with the checkpoint, a line for each event (newest first) with its
proof, and an end that says how many there are. It proves of each event that it is in the signed
history exactly so; it does not prove that nothing was left out of the bundle.

The state of events in ``WITHHELD`` stays at home unless asked for: a leaf covers the digest of the
state, so the event is proved all the same (ADR 0011).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeVar

import msgspec

from app.application.history.issue_checkpoints import HistoryProver
from app.application.history.transparency_ports import InclusionProof, IssuedCheckpoint, StoredBytes
from app.application.ports import AuditLog
from app.application.views import AuditQuery
from app.domain.callers.client import Client
from app.domain.errors import Rejected
from app.domain.history.checkpoints import (
    SignedCheckpoint,
    VerifierKey,
    Verify,
    base64_of,
    hash_from,
    opened_checkpoint,
    parse_verifier_key,
)
from app.domain.history.transparency import leaf_data, leaf_hash, root_of_inclusion, state_digest
from app.domain.hooks.hook import Hook

FORMAT = "hookledger-evidence-v1"
WITHHELD = frozenset({Hook.SecretSet.TOPIC, Client.Created.TOPIC})
"""Events whose state holds ciphertexts or hashes of credentials."""
PAGE = 250
MAX_LINE_BYTES = 64 * 1024 * 1024

Counted = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]

L = TypeVar("L", bound="_Head | _Event | _End")


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    origin: str
    checkpoint: str
    keys: list[str]
    made_at: str
    query: dict[str, Any]


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    position: Counted
    index: int
    stream: str
    version: Counted
    topic: str
    state_sha256: str
    proof: list[str]
    state: str | None = None
    state_base64: str | None = None


class _End(msgspec.Struct, forbid_unknown_fields=True):
    events: int


def evidence(
    prover: HistoryProver,
    audit: AuditLog,
    query: AuditQuery,
    *,
    withhold: bool = True,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[bytes]:
    """Write a bundle of the events that match, in pieces that end with a line.

    Only what the newest checkpoint covers is in it, and one is made if the log has grown.
    """
    issued = prover.checkpoint()
    size = issued.signed.checkpoint.size
    newest = prover.newest_position(size)
    yield _line(_head(prover, issued, query))
    written, cursor = 0, None
    while True:
        page = audit.query(query, cursor=cursor, limit=PAGE)
        positions = [row.position for row in page.items if row.position <= newest]
        if positions:
            proved = prover.inclusions(positions, size)
            yield b"".join(_line(_event(*each, withhold=withhold)) for each in proved)
            written += len(proved)
            progress(written)
        cursor = page.next
        if cursor is None:
            break
    yield _line(_End(written))


@dataclass(frozen=True, slots=True)
class CheckedEvidence:
    """A bundle that is what it claims to be."""

    signed: SignedCheckpoint
    events: int
    withheld: int
    key_was_given: bool
    """False if only the bundle itself says which key to trust."""


def check_evidence(
    lines: Iterable[bytes], keys: Sequence[VerifierKey], verify: Verify
) -> CheckedEvidence:
    """Check a bundle with nothing but itself and the keys one trusts.

    Raises ``Rejected`` that names the first line that is wrong, and why.
    """
    numbered = enumerate(lines, 1)
    number, line = next(numbered, (1, b""))
    head = _read(line, _Head, number)
    if head.format != FORMAT:
        raise _wrong(number, f"it is of the format `{head.format}`, not `{FORMAT}`.")
    trusted = tuple(keys) or tuple(map(parse_verifier_key, head.keys))
    signed = opened_checkpoint(head.checkpoint, trusted, verify)
    if head.origin != signed.checkpoint.origin:
        raise _wrong(number, f"it claims to be of `{head.origin}`, which did not sign.")
    events = withheld = 0
    last: int | None = None
    for number, line in numbered:
        if line.startswith(b'{"events":'):
            _check_end(numbered, number, line, events)
            return CheckedEvidence(signed, events, withheld, key_was_given=bool(keys))
        event = _read(line, _Event, number)
        _check_event(event, signed, number, last)
        events, last = events + 1, event.position
        withheld += event.state is None and event.state_base64 is None
    raise Rejected(f"The bundle is cut off after line {number}: its last line is missing.")


def _check_end(
    numbered: Iterator[tuple[int, bytes]], number: int, line: bytes, events: int
) -> None:
    end = _read(line, _End, number)
    if end.events != events:
        raise _wrong(number, f"the bundle was made with {end.events} events and holds {events}.")
    if next(numbered, None) is not None:
        raise _wrong(number + 1, "nothing may follow the last line.")


def _check_event(event: _Event, signed: SignedCheckpoint, number: int, last: int | None) -> None:
    where = f"event {event.position}"
    digest = hash_from(event.state_sha256)
    proof = [hash_from(encoded) for encoded in event.proof]
    if digest is None or None in proof:
        raise _wrong(number, f"a hash of {where} is not the base64 of 32 bytes.")
    if last is not None and event.position >= last:
        raise _wrong(number, f"{where} is out of order, or there twice.")
    state = _state_of(event, number)
    if state is not None and state_digest(state) != digest:
        raise _wrong(number, f"the content of {where} was altered: it has another digest.")
    data = leaf_data(event.position, event.stream, event.version, event.topic, digest)
    hashes = [each for each in proof if each is not None]
    checkpoint = signed.checkpoint
    proved = root_of_inclusion(event.index, checkpoint.size, leaf_hash(data), hashes)
    if proved != checkpoint.root:
        raise _wrong(
            number,
            f"{where} is not in the signed history as it stands here: its position, stream, "
            "version, topic, content or proof was altered.",
        )


def _state_of(event: _Event, number: int) -> bytes | None:
    if event.state is not None:
        if event.state_base64 is not None:
            # Only one is checked; a reader of the other would take it for proved.
            raise _wrong(
                number,
                f"event {event.position} has two contents; give `state` or `state_base64`.",
            )
        return event.state.encode("utf-8", "surrogatepass")
    if event.state_base64 is None:
        return None
    try:
        return base64.b64decode(event.state_base64, validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(number, f"the content of event {event.position} is no base64.") from None


def _head(prover: HistoryProver, issued: IssuedCheckpoint, query: AuditQuery) -> _Head:
    asked = {key: value for key, value in asdict(query).items() if value is not None}
    return _Head(
        format=FORMAT,
        origin=issued.signed.checkpoint.origin,
        checkpoint=issued.signed.note,
        keys=[str(key) for key in prover.verifier_keys()],
        made_at=issued.made_at.isoformat(),
        query=asked,
    )


def _event(event: StoredBytes, proof: InclusionProof, *, withhold: bool) -> _Event:
    members: Mapping[str, str] = {}
    if not (withhold and event.topic in WITHHELD):
        try:
            members = {"state": event.state.decode()}
        except UnicodeDecodeError:
            members = {"state_base64": base64_of(event.state)}
    return _Event(
        position=event.position,
        index=proof.index,
        stream=event.stream,
        version=event.version,
        topic=event.topic,
        state_sha256=base64_of(state_digest(event.state)),
        proof=[base64_of(each) for each in proof.hashes],
        **members,
    )


def _line(record: _Head | _Event | _End) -> bytes:
    return msgspec.json.encode(record) + b"\n"


def _read(line: bytes, kind: type[L], number: int) -> L:
    try:
        return msgspec.json.decode(line[:MAX_LINE_BYTES], type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _wrong(number, f"it is not what stands there in a bundle: {error}.") from None


def _wrong(number: int, why: str) -> Rejected:
    return Rejected(f"Line {number} of the bundle is wrong: {why}")
