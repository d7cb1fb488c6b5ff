"""A TOML document being read: its members, and every problem found so far with file and line."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from typing import Any

from app.domain.documents.toml_lines import Path, find_lines
from app.domain.errors import Problem, Rejected

MAX_DOCUMENT_BYTES = 64 * 1024

_MAX_UNKNOWN = 20
"""Unknown keys reported one by one: a document of 64 KiB can hold thousands."""
_MAX_SHOWN = 100

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")


class TomlDocument:
    """Members of a document, and a list of what is wrong with them."""

    def __init__(self, file: str, text: str, members: Mapping[str, Any]) -> None:
        self.file = file
        self.text = text
        self.members = members
        self.problems: list[Problem] = []
        self._lines: Mapping[Path, int] | None = None

    @classmethod
    def parse(cls, file: str, data: bytes) -> TomlDocument:
        """Read UTF-8 text of at most 64 KiB; raise ``Rejected`` where it is not TOML."""
        if len(data) > MAX_DOCUMENT_BYTES:
            limit = MAX_DOCUMENT_BYTES // 1024
            raise _unreadable(file, f"is {len(data)} bytes; the limit is {limit} KiB")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise _unreadable(file, "is not UTF-8 text; save it as UTF-8", line) from error
        try:
            return cls(file, text, tomllib.loads(text))
        except RecursionError as error:
            raise _unreadable(file, "is nested too deeply") from error
        except ValueError as error:
            sentence = str(error)
            place = _PLACE.search(sentence)
            line = int(place[1]) if place and place[1] else text.count("\n") + 1
            raise _unreadable(file, f"is not TOML: {_PLACE.sub('', sentence)}", line) from error

    def refuse(self, message: str, *path: str | int) -> None:
        """Add a problem with what stands at ``path``; the same one twice is added once."""
        key = _written(path) or None
        problem = Problem(message, file=self.file, line=self.line_of(*path), key=key)
        if problem not in self.problems:
            self.problems.append(problem)

    def refuse_unknown(self, members: Mapping[str, Any], known: Collection[str], *at: str) -> None:
        """Add a problem for each key that means nothing, and name the one that was meant."""
        unknown = [key for key in members if key not in known]
        for key in unknown[:_MAX_UNKNOWN]:
            near = difflib.get_close_matches(key, known, n=1)
            meant = f"did you mean `{near[0]}`?" if near else f"known are: {', '.join(known)}"
            self.refuse(f"unknown key; {meant}", *at, key)
        if len(unknown) > _MAX_UNKNOWN:
            self.refuse(f"and {len(unknown) - _MAX_UNKNOWN} more unknown keys", *at)

    def table(self, key: str) -> Mapping[str, Any]:
        """Return the table under ``key``; empty if it is absent, or is not a table (a problem)."""
        found = self.members.get(key, {})
        if isinstance(found, dict):
            return found
        self.refuse("must be a table", key)
        return {}

    def line_of(self, *path: str | int) -> int | None:
        """Return the line of ``path``, or of the nearest thing around it that has one."""
        if self._lines is None:
            self._lines = find_lines(self.text)
        for length in range(len(path), 0, -1):
            if (line := self._lines.get(path[:length])) is not None:
                return line
        return None


def printable(text: str, length: int = _MAX_SHOWN) -> str:
    """Make foreign text fit to be shown: cut, and without characters that steer a terminal."""
    cut = text if len(text) <= length else f"{text[:length]}…"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cut)


def _unreadable(file: str, message: str, line: int | None = None) -> Rejected:
    return Rejected(f"{file} cannot be read.", problems=[Problem(message, file=file, line=line)])


def _written(path: Path) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{printable(part)}" for part in path]
    return "".join(parts).removeprefix(".")
