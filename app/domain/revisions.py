"""Names for commits and contents: text that must not be mixed up."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NewType

CommitSha = NewType("CommitSha", str)
"""40 lower-case hexadecimal digits."""

TreeSha = NewType("TreeSha", str)
"""Id of a git tree: 40 lower-case hexadecimal digits."""

Digest = NewType("Digest", str)
"""SHA-256 of something, 64 lower-case hexadecimal digits."""

Position = NewType("Position", int)
"""Place of an event in the store, counted from 1; 0 is before the first event."""

_SHA = re.compile(r"[0-9a-f]{40}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def is_commit_sha(text: str) -> bool:
    """Tell whether ``text`` has the form of a full commit id."""
    return _SHA.match(text) is not None


def is_digest(text: str) -> bool:
    """Tell whether ``text`` has the form of a digest."""
    return _DIGEST.match(text) is not None


def version_key(hook_id: str, digest: str, key_ids: Mapping[str, str]) -> str:
    """Name what a worker process is made of: which hook, its digest, its secrets' data keys.

    ``key_ids`` are by the secrets' names; a new value has a new data key.
    """
    parts = [hook_id, digest]
    for name, key_id in sorted(key_ids.items()):
        parts += (name, key_id)
    return digest_of(*(part.encode() for part in parts))


def digest_of(*parts: bytes) -> Digest:
    """Hash byte strings so that moving a byte from one to the next changes the result."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return Digest(hashed.hexdigest())


def content_digest(
    language: str, script: str, dependencies: Mapping[str, str], settings: Mapping[str, Any]
) -> Digest:
    """Hash all of a hook that runs: neither its name nor where it comes from."""
    described = json.dumps([language, dict(dependencies), dict(settings)], sort_keys=True)
    return digest_of(script.encode(), described.encode())
