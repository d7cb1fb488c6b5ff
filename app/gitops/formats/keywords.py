"""The Deploy CLI's keyword markers: ``@@KEY@@`` stands for JSON, ``##KEY##`` for text.

The Deploy CLI replaces text and parses afterwards. Here markers are first put out of the parser's
sight and resolved in the values: a keyword can neither break a file nor smuggle a member into it,
and what came from a keyword can be told from what stands in the repository.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.errors import Problem, Rejected

_KEY = r"[A-Za-z_][A-Za-z0-9_.\-]{0,127}"
KEY = re.compile(rf"{_KEY}\Z")
_MARKER = re.compile(rf"@@({_KEY})@@|##({_KEY})##")
_IN_JSON = re.compile(rf'"(?:[^"\\]|\\.)*"|@@({_KEY})@@|##({_KEY})##', re.DOTALL)
_IN_SCRIPT = re.compile(rf'"@@({_KEY})@@"|@@({_KEY})@@|##({_KEY})##')
_OPEN, _CLOSE = "\ue000", "\ue001"
"""Characters for private use: they may stand in JSON and YAML, and in no honest file."""
_HIDDEN = re.compile(rf"{_OPEN}([@#])({_KEY}){_CLOSE}")


class Unresolved(Exception):
    """There is no keyword for some markers."""

    def __init__(self, markers: list[str]) -> None:
        super().__init__(", ".join(markers))

    def __str__(self) -> str:
        """Say which, and what to do."""
        return f"{self.args[0]} has no value; give one in the setting `keywords`"


@dataclass(frozen=True, slots=True)
class Keywords:
    """Values of markers."""

    values: Mapping[str, Any]

    def resolve(self, value: Any) -> Any:
        """Return ``value`` (a text, or what holds texts) resolved; raise ``Unresolved``."""
        if isinstance(value, dict):
            return {self.resolve_text(key): self.resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, str):
            return value
        whole = _HIDDEN.fullmatch(value)
        if whole is not None and whole[1] == "@" and whole[2] in self.values:
            return self.values[whole[2]]
        return self.resolve_text(value)

    def resolve_text(self, text: str) -> str:
        """Return ``text`` with the values put in; raise ``Unresolved``."""
        missing = [f"{m[1] * 2}{m[2]}{m[1] * 2}" for m in _HIDDEN.finditer(text)]
        missing = [marker for marker in missing if marker[2:-2] not in self.values]
        if missing:
            raise Unresolved(sorted(set(missing)))
        return _HIDDEN.sub(lambda m: self._written(m[1], m[2]), text)

    def resolve_script(self, file: str, text: str) -> str:
        """Return a script with the values put in; raise ``Rejected`` with each line that lacks one.

        As the Deploy CLI does it: JSON for ``@@KEY@@``, with quotes around it or without.
        """
        problems = list(self._missing(file, text))
        if problems:
            raise Rejected(f"{file} has markers without a value.", problems=problems)
        return _IN_SCRIPT.sub(
            lambda m: self._written("#" if m[3] else "@", m[1] or m[2] or m[3]), text
        )

    def _missing(self, file: str, text: str) -> Iterator[Problem]:
        for match in _MARKER.finditer(text):
            if (match[1] or match[2]) not in self.values:
                message = (
                    f"{match[0]} has no value; give one in the setting `keywords`, or, if it is "
                    "no marker, write the text in two parts"
                )
                yield Problem(message, file=file, line=text.count("\n", 0, match.start()) + 1)

    def _written(self, kind: str, key: str) -> str:
        value = self.values[key]
        if kind == "#" and isinstance(value, str):
            return value
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def hide_in_json(file: str, text: str) -> str:
    """Put markers out of the parser's sight; bare ones become texts."""
    _refuse_private(file, text)

    def hide(match: re.Match[str]) -> str:
        return _hidden(match[0]) if match[0].startswith('"') else f'"{_hidden(match[0])}"'

    return _IN_JSON.sub(hide, text)


def hide_in_yaml(file: str, text: str) -> str:
    """Put markers out of the parser's sight, which would take a bare ``##KEY##`` for a comment."""
    _refuse_private(file, text)
    lines = text.split("\n")
    return "\n".join(line if line.lstrip().startswith("#") else _hidden(line) for line in lines)


def is_marked(value: str) -> bool:
    """Tell whether a text holds a marker."""
    return _HIDDEN.search(value) is not None


def shown(value: Any) -> Any:
    """Return a value with its markers as they were written."""
    if isinstance(value, dict):
        return {shown(key): shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, str):
        return _HIDDEN.sub(lambda m: f"{m[1] * 2}{m[2]}{m[1] * 2}", value)
    return value


def markers(value: str) -> list[str]:
    """Return the keys of the markers in a text whose markers are hidden, or as they are."""
    hidden = [match[2] for match in _HIDDEN.finditer(value)]
    return hidden + [match[1] or match[2] for match in _MARKER.finditer(value)]


def _hidden(text: str) -> str:
    return _MARKER.sub(lambda m: f"{_OPEN}{'@' if m[1] else '#'}{m[1] or m[2]}{_CLOSE}", text)


def _refuse_private(file: str, text: str) -> None:
    for character in (_OPEN, _CLOSE):
        if (found := text.find(character)) >= 0:
            line = text.count("\n", 0, found) + 1
            message = f"holds the character U+{ord(character):04X}, which is for private use"
            raise Rejected(f"{file} cannot be read.", problems=[Problem(message, file, line)])
