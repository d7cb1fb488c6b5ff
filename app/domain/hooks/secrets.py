"""Secret values as the ledger knows them: sealed, bound to one hook and one name, never plain."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.domain.errors import Problem, Rejected

MAX_SECRETS_PER_HOOK = 20
"""Auth0's limit (its OpenAPI document and the Hook Secrets page)."""
MAX_VALUE_BYTES = 4096
MASK = "_VALUE_NOT_SHOWN_"
"""What Auth0's tools show, and hold in exports, in place of a value."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}\Z")


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """AES-256-GCM ciphertext under a data key of its own; useless without the vault."""

    name: str
    key_id: str
    """Names the wrapped data key in the vault; destroying that key destroys the value."""
    ciphertext: str
    """Base64 of nonce and ciphertext."""


def check_secret(name: str, value: str) -> None:
    """Raise ``Rejected`` unless the name is usable and the value not too long."""
    check_secrets({name: value})


def check_secrets(values: Mapping[str, str]) -> None:
    """Raise ``Rejected`` with everything that is wrong with names and values."""
    problems = [problem for name, value in values.items() for problem in _wrong_with(name, value)]
    if problems:
        raise Rejected("The secret was not stored.", problems=problems)


def _wrong_with(name: str, value: str) -> Iterator[Problem]:
    if not _NAME.match(name):
        yield Problem(
            "must be 1 to 128 letters, digits, `_`, `-` or `.`, and not begin with `-` or `.`",
            key=name,
        )
    if not value:
        yield Problem("must not be empty; remove the secret instead", key=name)
    if len(value.encode()) > MAX_VALUE_BYTES:
        yield Problem(f"must be at most {MAX_VALUE_BYTES} bytes", key=name)
