"""What of payloads and results may be kept: nothing, unless a trigger says so, and never all of it.

A rule is the name of a member, wherever it stands, or a JSON pointer (RFC 6901) to one place, in
which ``*`` stands for any member or index. Members that hold credentials are masked by rules that
no repository can switch off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

RecordMode = Literal["none", "masked"]

MASKED = "***"
MAX_RULES = 100
MAX_RULE = 200

_ALWAYS_PART = ("password", "passwd", "passphrase", "secret", "credential")
_ALWAYS_END = ("token", "apikey", "privatekey", "jwt")
_ALWAYS = frozenset(
    ("authorization", "cookie", "setcookie", "otp", "totp", "pin", "cvv", "cvc", "signature", "ssn")
)
_ALWAYS_AT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    # The code, and the text that holds it.
    {"send-phone-message": ("/context/code", "/text")}
)
_POINTER = re.compile(r"(/([^~]|~[01])*)+\Z")
_SEPARATORS = str.maketrans("", "", "-_. ")


def wrong_with_rule(rule: object) -> str | None:
    """Say what is wrong with a rule, or None."""
    if not isinstance(rule, str) or not 1 <= len(rule) <= MAX_RULE:
        return f"must be a text of 1 to {MAX_RULE} characters"
    if rule.startswith("/") and not _POINTER.match(rule):
        return f"`{rule}` is no JSON pointer (RFC 6901): `~` is written `~0`, `/` is written `~1`"
    return None


def is_sensitive(name: str) -> bool:
    """Tell whether a member of this name is always masked."""
    word = name.lower().translate(_SEPARATORS)
    return (
        word in _ALWAYS or word.endswith(_ALWAYS_END) or any(part in word for part in _ALWAYS_PART)
    )


@dataclass(frozen=True, slots=True)
class MaskRules:
    """Rules made ready for a trigger."""

    names: frozenset[str]
    pointers: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, trigger: str, rules: tuple[str, ...]) -> MaskRules:
        """Take rules apart, and add those that always hold."""
        pointers = [rule for rule in rules if rule.startswith("/")]
        pointers += _ALWAYS_AT.get(trigger, ())
        return cls(
            frozenset(rule.lower() for rule in rules if not rule.startswith("/")),
            tuple(tuple(map(_unescaped, pointer[1:].split("/"))) for pointer in pointers),
        )

    def apply(self, value: Any) -> tuple[Any, frozenset[str]]:
        """Return a masked copy of a JSON value, and the texts that were hidden in it.

        Raises ``RecursionError`` for one that is nested hundreds of levels deep.
        """
        hidden: set[str] = set()
        return self._masked(value, self.pointers, hidden), frozenset(hidden)

    def _masked(self, value: Any, pointers: tuple[tuple[str, ...], ...], hidden: set[str]) -> Any:
        if isinstance(value, dict):
            return {
                name: self._member(name, member, pointers, hidden) for name, member in value.items()
            }
        if isinstance(value, list):
            return [
                self._member(str(index), item, pointers, hidden, named=False)
                for index, item in enumerate(value)
            ]
        return value

    def _member(
        self,
        name: str,
        value: Any,
        pointers: tuple[tuple[str, ...], ...],
        hidden: set[str],
        *,
        named: bool = True,
    ) -> Any:
        below = tuple(path[1:] for path in pointers if path[0] in (name, "*"))
        if (named and (name.lower() in self.names or is_sensitive(name))) or () in below:
            hidden.update(_texts(value))
            return MASKED
        return self._masked(value, below, hidden)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for member in value.values() for text in _texts(member)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
