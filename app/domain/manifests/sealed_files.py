"""``secrets.age`` beside a manifest: values that only the server can read, bound to one hook.

The file is one or more files of age (age-encryption.org/v1), armoured if there are several, each
holding ``{"hook": "<name>", "secrets": {"NAME": "value"}}`` as JSON or TOML. A later one wins, so
that a value can be added by somebody who cannot read the others.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from app.domain.errors import Problem, Rejected
from app.domain.hooks.secrets import check_secrets

SEALED_FILE = "secrets.age"
MAX_SEALED_BYTES = 256 * 1024
MAX_PARTS = 100

_ARMOUR = re.compile(
    rb"-----BEGIN AGE ENCRYPTED FILE-----\s+[A-Za-z0-9+/=\s]+-----END AGE ENCRYPTED FILE-----\s*"
)
_BINARY = b"age-encryption.org/"
_MEMBERS = {"hook", "secrets"}


def parts_of(file: str, data: bytes) -> tuple[bytes, ...]:
    """Take the file apart; raise ``Rejected`` if it is not made of age's files."""
    if len(data) > MAX_SEALED_BYTES:
        raise _refused(file, f"is {len(data)} bytes; the limit is {MAX_SEALED_BYTES // 1024} KiB")
    if data.startswith(_BINARY):
        return (data,)
    parts = tuple(found[0] for found in _ARMOUR.finditer(data))
    if not parts or _ARMOUR.sub(b"", data).strip():
        raise _refused(
            file,
            "is not encrypted by age; write it with `hookledger secrets seal`. If it holds plain "
            "values, treat them as leaked: git's history keeps them",
        )
    if len(parts) > MAX_PARTS:
        message = (
            f"has {len(parts)} parts; the limit is {MAX_PARTS}. Seal all values anew with --replace"
        )
        raise _refused(file, message)
    return parts


def values_of(file: str, hook: str, plain: bytes) -> Mapping[str, str]:
    """Read one decrypted part; raise ``Rejected``, never quoting what is in it."""
    members = _parsed(plain)
    if members is None or members.keys() != _MEMBERS:
        raise _refused(file, "does not hold the members `hook` and `secrets` alone")
    if members["hook"] != hook:
        raise _refused(
            file,
            f"was sealed for another hook than `{hook}`; seal the values for this one "
            "(`hookledger secrets seal`)",
        )
    values = members["secrets"]
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise _refused(file, "has a member `secrets` that does not map names to strings")
    try:
        check_secrets(values)
    except Rejected as refusal:
        problems = [Problem(p.message, file=file, key=p.key) for p in refusal.problems]
        raise Rejected(f"{file} cannot be used.", problems=problems) from None
    return values


def _parsed(plain: bytes) -> dict[str, Any] | None:
    # Errors of parsers quote what they read: they end here.
    try:
        text = plain.decode("utf-8")
        read = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _refused(file: str, message: str) -> Rejected:
    return Rejected(f"{file} cannot be used.", problems=[Problem(message, file=file)])
