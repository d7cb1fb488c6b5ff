"""Commit and tag objects, from bytes that were hashed already."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.domain.errors import Stalled

_OBJECT = re.compile(rb"object ([0-9a-f]{40})\ntype (commit|tag|tree|blob)\n")
_TREE = re.compile(rb"tree ([0-9a-f]{40})\n")
_PARENT = re.compile(rb"^parent ([0-9a-f]{40})$", re.MULTILINE)
_PERSON = re.compile(r"(.*<[^>]*>)")
_ENCODING = re.compile(
    r"(?:iso-?8859-?[0-9]{1,2}|latin-?1|(?:windows-|cp)125[0-8]|koi8-[ru]|shift_?jis|euc-(?:jp|kr)"
    r"|gb(?:k|2312|18030)|big5)\Z",
    re.IGNORECASE,
)
_MAX_BODY = 4096
_MAX_SHOWN = 200


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """What a commit says; all but ``tree`` are claims of whoever made it."""

    tree: str
    author: str
    committer: str
    message: str
    """First paragraph on one line, cut to 200 characters."""


@dataclass(frozen=True, slots=True)
class TagTarget:
    """What an annotated tag names."""

    sha: str
    kind: str


def parse_commit(sha: str, data: bytes) -> CommitFacts:
    """Read a commit object; raise ``Stalled`` if it has not the form of one."""
    match = _TREE.match(data)
    if match is None:
        raise Stalled(f"Commit {sha} names no tree; run `git fsck` in the repository.")
    head, _, body = data.partition(b"\n\n")
    headers = _headers(head)
    return CommitFacts(
        tree=match[1].decode(),
        author=_person(headers.get("author", "")),
        committer=_person(headers.get("committer", "")),
        message=_one_line(_decode(body[:_MAX_BODY], headers).lstrip().partition("\n\n")[0]),
    )


def parents_of(data: bytes) -> tuple[str, ...]:
    """Return the commits that a commit object says it comes after."""
    head, _, _ = data.partition(b"\n\n")
    return tuple(match.decode() for match in _PARENT.findall(head))


def parse_tag(sha: str, data: bytes) -> TagTarget:
    """Read an annotated tag; raise ``Stalled`` if it has not the form of one."""
    match = _OBJECT.match(data)
    if match is None:
        raise Stalled(f"Tag {sha} names no object; run `git fsck` in the repository.")
    return TagTarget(match[1].decode(), match[2].decode())


def _headers(head: bytes) -> dict[str, str]:
    """Return the first of each header; lines that continue one begin with a blank, so name none."""
    headers: dict[str, str] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        headers.setdefault(key.decode("ascii", "replace"), value.decode("utf-8", "replace"))
    return headers


def _person(value: str) -> str:
    match = _PERSON.match(value)
    return _one_line(match[1] if match else value)


def _decode(data: bytes, headers: dict[str, str]) -> str:
    written = headers.get("encoding", "")
    try:
        return data.decode(written if _ENCODING.match(written) else "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _one_line(text: str) -> str:
    """Fold white space, and drop what could steer a terminal or forge a line of a log."""
    folded = " ".join(text.split())
    shown = "".join(character for character in folded if character.isprintable())
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[: _MAX_SHOWN - 1]}…"
