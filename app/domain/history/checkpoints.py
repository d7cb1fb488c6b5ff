"""Checkpoints of the log in the formats of C2SP: ``tlog-checkpoint`` within ``signed-note``.

A checkpoint is a text of three lines (origin, number of leaves, root in base64) and, after an empty
line, signatures. Verifier keys are written as Go's ``sumdb/note`` writes them, so that tools of
that family read both.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.domain.errors import Rejected
from app.domain.history.transparency import HASH_BYTES

ED25519 = b"\x01"
"""Signature type of the note format."""

MAX_NOTE_CHARACTERS = 65_536
_KEY_ID_BYTES = 4
_MARK = "\u2014 "
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log held when somebody signed for it."""

    origin: str
    """Name of the log."""
    size: int
    """Number of leaves, which are the events in the order of their positions."""
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64_of(self.root)}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public Ed25519 key and the name it signs under."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that say which key signed; not a secure hash."""
        named = self.name.encode() + b"\n" + ED25519 + self.public
        return hashlib.sha256(named).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        """Write ``name+hash+base64``."""
        return f"{self.name}+{self.key_id.hex()}+{base64_of(ED25519 + self.public)}"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One line below a note's text."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        """Write the line."""
        return f"{_MARK}{self.name} {base64_of(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text and who signed it; nobody has checked that yet."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __str__(self) -> str:
        """Write the note."""
        return f"{self.text}\n{''.join(map(str, self.signatures))}"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose note a known key has signed."""

    checkpoint: Checkpoint
    note: str
    key: VerifierKey


Verify = Callable[[VerifierKey, bytes, bytes], bool]
"""Whether the key made the signature (third) of the message (second)."""


def opened_checkpoint(note: str, keys: tuple[VerifierKey, ...], verify: Verify) -> SignedCheckpoint:
    """Read a note that one of ``keys`` must have signed.

    Raises ``Rejected`` if the note is malformed, or a known key's signature is wrong or missing.
    """
    signed = parse_note(note)
    by_id = {(key.name, key.key_id): key for key in keys}
    signer: VerifierKey | None = None
    for line in signed.signatures:
        key = by_id.get((line.name, line.key_id))
        if key is None:
            continue
        if not verify(key, signed.text.encode(), line.signature):
            raise Rejected(
                f"The checkpoint's signature by `{key.name}` (key {key.key_id.hex()}) is wrong: "
                "the note was altered after it was signed, or forged."
            )
        signer = signer or key
    if signer is None:
        ids = ", ".join(f"{line.name}+{line.key_id.hex()}" for line in signed.signatures)
        raise Rejected(f"No known key signed the checkpoint; it bears the signatures of {ids}.")
    checkpoint = parse_checkpoint(signed.text)
    if checkpoint.origin != signer.name:
        raise Rejected(
            f"The checkpoint is of the log `{checkpoint.origin}`, but `{signer.name}` signed it."
        )
    return SignedCheckpoint(checkpoint, str(signed), signer)


def parse_note(note: str) -> SignedNote:
    """Split a note into text and signatures; raise ``Rejected`` if it is none."""
    text, empty, below = note.rpartition("\n\n")
    lines = below.split("\n")
    if (
        not empty
        or lines.pop() != ""
        or not lines
        or len(note) > MAX_NOTE_CHARACTERS
        or any(ord(character) < 32 and character != "\n" for character in note)  # noqa: PLR2004 (control characters)
    ):
        raise Rejected("This is no signed note: a text, an empty line and signature lines.")
    return SignedNote(text + "\n", tuple(_signature(line) for line in lines))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a note; raise ``Rejected`` if it is no checkpoint."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not _SIZE.fullmatch(lines[1]):  # noqa: PLR2004 (three lines, ended)
        raise Rejected("This note is no checkpoint: origin, size and root, each on a line.")
    root = _from_base64(lines[2])
    if root is None or len(root) != HASH_BYTES:
        raise Rejected("The checkpoint's root is not the base64 of 32 bytes.")
    return Checkpoint(lines[0], int(lines[1]), root)


def parse_verifier_key(written: str) -> VerifierKey:
    """Read ``name+hash+base64``; raise ``Rejected`` if it is no Ed25519 key, or mistyped."""
    name, _, rest = written.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    data = _from_base64(encoded)
    if not name or data is None or data[:1] != ED25519 or len(data) != len(ED25519) + 32:
        raise Rejected(f"`{written}` is no verifier key of the form `name+hash+base64` (Ed25519).")
    key = VerifierKey(name, data[len(ED25519) :])
    if key.key_id.hex() != key_id:
        raise Rejected(f"The verifier key of `{name}` is mistyped: its hash is not {key_id}.")
    return key


def split_notes(text: str) -> Iterator[str]:
    """Take notes apart that stand one after another, an empty line between or none."""
    note: list[str] = []
    for line in text.splitlines(keepends=True):
        signed = bool(note) and note[-1].startswith(_MARK)
        if signed and not line.startswith(_MARK):
            yield "".join(note)
            note = []
        if note or line.strip():
            note.append(line)
    if note:
        yield "".join(note)


def base64_of(data: bytes) -> str:
    """Encode as RFC 4648, section 4, does."""
    return base64.b64encode(data).decode()


def hash_from(encoded: object) -> bytes | None:
    """Decode a hash; None unless it is the base64 of 32 bytes."""
    data = _from_base64(encoded) if isinstance(encoded, str) else None
    return data if data is not None and len(data) == HASH_BYTES else None


def _signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_MARK).partition(" ")
    data = _from_base64(encoded)
    if not line.startswith(_MARK) or not name or data is None or len(data) <= _KEY_ID_BYTES:
        raise Rejected("A signature line of the note is malformed.")
    return NoteSignature(name, data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])


def _from_base64(encoded: str) -> bytes | None:
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64_of(data) == encoded else None
