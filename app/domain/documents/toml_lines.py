"""On which line of a TOML document each key stands, which ``tomllib`` does not tell.

Reads only documents that ``tomllib`` accepted, so it need not refuse anything: it follows the
grammar of TOML 1.0 just far enough never to take text inside a string for a key.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]
"""Keys from the root down; an integer is the index in a list."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\n#]+")
_REST_OF_LINE = re.compile(r"[^\n]*")


def find_lines(text: str) -> dict[Path, int]:
    """Map each table, key and list element of a valid document to its line, counted from 1."""
    scanner = _Scanner(text)
    scanner.scan()
    return {path: text.count("\n", 0, offset) + 1 for path, offset in scanner.offsets.items()}


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.offsets: dict[Path, int] = {}

    def scan(self) -> None:
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            start = self._at
            if self._text[start] == "[":
                self._at += 2 if self._text.startswith("[[", start) else 1
                table = self._read_key()
                self._note((), table, start)
            else:
                self._read_pair(table)
            self._skip(_REST_OF_LINE)

    def _read_pair(self, table: Path) -> None:
        start = self._at
        key = self._read_key()
        self._note(table, key, start)
        self._at = self._text.index("=", self._at) + 1
        self._read_value(table + key)

    def _read_key(self) -> Path:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            parts.append(self._read_key_part())
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return tuple(parts)
            self._at += 1

    def _read_key_part(self) -> str:
        if self._text[self._at] in "\"'":
            quoted = self._match(_STRING)
            return str(tomllib.loads(f"key = {quoted}")["key"])
        return self._match(_BARE_KEY)

    def _read_value(self, path: Path) -> None:
        self._skip(_SPACE)
        opening = self._text[self._at]
        if opening == "[":
            self._read_members(path, "]")
        elif opening == "{":
            self._read_members(path, "}")
        else:
            self._match(_STRING if opening in "\"'" else _SCALAR)

    def _read_members(self, path: Path, closing: str) -> None:
        self._at += 1
        index = 0
        while self._text[self._skip(_BLANK)] != closing:
            if self._text[self._at] == ",":
                self._at += 1
            elif closing == "}":
                self._read_pair(path)
            else:
                self._note(path, (index,), self._at)
                self._read_value((*path, index))
                index += 1
        self._at += 1

    def _note(self, table: Path, key: Path, offset: int) -> None:
        for length in range(1, len(key) + 1):
            self.offsets.setdefault(table + key[:length], offset)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        self._match(pattern)
        return self._at

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(f"not valid TOML at offset {self._at}")
        self._at = found.end()
        return found.group()
