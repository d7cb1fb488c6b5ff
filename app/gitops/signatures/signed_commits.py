"""Commit objects taken apart for verification: what was signed, by which signature, as whom.

Stricter than git: a commit that two programs could read in two ways is refused, whoever signed it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

MAX_SIGNATURE_BYTES = 16 * 1024
"""Several times what the longest keys make; packets of GPG may unfold to far more than they are."""

_SIGNATURE = b"gpgsig"
_HEAD = re.compile(
    rb"tree [0-9a-f]{40}\n"
    rb"(?:parent [0-9a-f]{40}\n)*"
    rb"author [^\n\0]*\n"
    rb"committer [^\n\0<>]*<(?P<email>[^\n\0<>]*)> (?P<time>[0-9]{1,11}) [+-][0-9]{4}\n"
)
_PARENT = re.compile(rb"^parent ([0-9a-f]{40})$", re.MULTILINE)
_ONCE = (b"tree", b"author", b"committer", b"encoding")


class Unverifiable(Exception):
    """A commit does not prove who made it; the message is a clause that says why."""


@dataclass(frozen=True, slots=True)
class SignedCommit:
    """A commit with exactly one signature."""

    payload: bytes
    """The commit without its header ``gpgsig``: the bytes that were signed."""
    signature: bytes
    """The armoured signature."""
    email: str
    """The committer's, as claimed."""
    committed_at: datetime
    """As claimed."""


def read_signed(data: bytes) -> SignedCommit:
    """Take a commit object apart; raise ``Unverifiable`` unless it bears exactly one signature."""
    head, separator, body = data.partition(b"\n\n")
    head += b"\n"
    claimed = _HEAD.match(head)
    if claimed is None or not separator or b"\0" in head:
        raise Unverifiable("is not written as git writes commits")
    kept, signatures = _split(head)
    names = [line.partition(b" ")[0] for line in kept]
    if b"gpgsig-sha256" in names:
        raise Unverifiable("has a signature for SHA-256 repositories, which is not understood")
    if any(names.count(name) > 1 for name in _ONCE) or b"parent" in _after_parents(names):
        raise Unverifiable("has headers twice, so that it can be read in two ways")
    if not signatures:
        raise Unverifiable("is not signed")
    if len(signatures) > 1:
        raise Unverifiable("has more than one signature, of which only one could be meant")
    if len(signatures[0]) > MAX_SIGNATURE_BYTES:
        raise Unverifiable(f"has a signature of more than {MAX_SIGNATURE_BYTES} bytes")
    return SignedCommit(
        payload=b"".join(kept) + b"\n" + body,
        signature=signatures[0],
        email=claimed["email"].decode("utf-8", "replace"),
        committed_at=datetime.fromtimestamp(int(claimed["time"]), UTC),
    )


def first_parent(data: bytes) -> str | None:
    """Return the id of a commit's first parent; None for the first commit of a history."""
    found = _PARENT.search(data.partition(b"\n\n")[0])
    return found[1].decode() if found else None


def _split(head: bytes) -> tuple[list[bytes], list[bytes]]:
    """Separate signatures from all other header lines, which are kept byte for byte."""
    kept: list[bytes] = []
    signatures: list[bytes] = []
    in_signature = False
    for line in _lines(head):
        if line.startswith(b" "):
            if in_signature:
                signatures[-1] += line[1:]
            else:
                kept.append(line)
            continue
        name, _, value = line.partition(b" ")
        in_signature = name == _SIGNATURE
        if in_signature:
            signatures.append(value)
        else:
            kept.append(line)
    return kept, signatures


def _lines(head: bytes) -> list[bytes]:
    # Not splitlines: git ends lines at line feeds and nothing else.
    return [line + b"\n" for line in head.split(b"\n")[:-1]]


def _after_parents(names: list[bytes]) -> list[bytes]:
    return names[names.index(b"author") :]
