"""JSON and YAML of hostile origin: plain values, with the line of each, within bounds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from app.domain.errors import Problem, Rejected

MAX_DEPTH = 40
MAX_EVENTS = 200_000

Path = tuple[str | int, ...]

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:\n]')
_PLAIN: Mapping[str, Any] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
"""What plain scalars mean beside themselves. Numbers stay text: `1.10` is a version."""
_TAGS = (None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq")))


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file."""

    file: str
    value: Any
    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int | None:
        """Return the line of what stands at ``path``, or of the nearest thing around it."""
        for length in range(len(path), 0, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return None


def decode(file: str, data: bytes) -> str:
    """Return UTF-8 text without a byte order mark; raise ``Rejected``."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _unreadable(file, "is not UTF-8 text; save it as UTF-8", line) from error
    if (nul := text.find("\0")) >= 0:
        raise _unreadable(file, "holds a NUL byte", text.count("\n", 0, nul) + 1)
    return text


def parse_json(file: str, text: str) -> Document:
    """Read JSON; raise ``Rejected`` for what is none, and for a member that stands twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise _unreadable(file, "stands twice", key=twice)
        return members

    try:
        value = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise _unreadable(file, f"is not JSON: {error.msg}", error.lineno) from error
    except (RecursionError, ValueError) as error:
        raise _unreadable(file, "is nested too deeply, or holds too long a number") from error
    return Document(file, value, dict(_json_lines(text)))


def parse_yaml(file: str, text: str) -> Document:
    """Read YAML without aliases and tags; raise ``Rejected``.

    Built from events, so that no input makes more of itself than it is, or is built as a type.
    """
    builder = _Builder(file)
    try:
        for count, event in enumerate(yaml.parse(text, Loader=_loader()), start=1):
            if count > MAX_EVENTS:
                raise _unreadable(file, f"has more than {MAX_EVENTS} parts")
            builder.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = getattr(error, "problem", None) or "it cannot be parsed"
        line = mark.line + 1 if mark is not None else None
        raise _unreadable(file, f"is not YAML: {message}", line) from error
    return Document(file, builder.value, builder.lines)


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Builder:
    """Makes values of events, with a stack of its own instead of the interpreter's."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._stack: list[dict[str, Any] | list[Any]] = []
        self._path: list[str | int | None] = []
        self.value: Any = None
        self.lines: dict[Path, int] = {}
        self._documents = 0

    def take(self, event: Any) -> None:
        if getattr(event, "tag", None) not in _TAGS:
            self._refuse(event, "tags (`!name`) have no meaning here")
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(event, "holds several documents (`---`); only one may stand here")
        elif isinstance(event, yaml.AliasEvent):
            self._refuse(event, "aliases (`*name`) are not followed; write the value out")
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event, {} if isinstance(event, yaml.MappingStartEvent) else [])
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._stack.pop()
            self._path.pop()
            self._end_value()

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if self._stack and isinstance(self._stack[-1], dict) and self._path[-1] is None:
            if event.value in self._stack[-1]:
                self._refuse(event, "the key stands twice")
            self._path[-1] = event.value
            self._note(event)
            return
        plain = event.tag is None and event.implicit[0]
        self._put(event, _PLAIN.get(event.value, event.value) if plain else event.value)
        self._end_value()

    def _open(self, event: Any, container: dict[str, Any] | list[Any]) -> None:
        if len(self._stack) >= MAX_DEPTH:
            self._refuse(event, f"is nested deeper than {MAX_DEPTH} levels")
        if self._stack and isinstance(self._stack[-1], dict) and self._path[-1] is None:
            self._refuse(event, "a key must be a text")
        self._put(event, container)
        self._stack.append(container)
        self._path.append(None)

    def _put(self, event: Any, value: Any) -> None:
        if not self._stack:
            self.value = value
            return
        above = self._stack[-1]
        if isinstance(above, list):
            self._path[-1] = len(above)
            self._note(event)
            above.append(value)
        else:
            above[str(self._path[-1])] = value

    def _end_value(self) -> None:
        if self._path:
            self._path[-1] = None

    def _note(self, event: Any) -> None:
        self.lines.setdefault(
            tuple(part for part in self._path if part is not None), event.start_mark.line + 1
        )

    def _refuse(self, event: Any, message: str) -> None:
        raise _unreadable(self._file, message, event.start_mark.line + 1)


def _json_lines(text: str) -> Iterator[tuple[Path, int]]:
    """Yield where each member of a valid JSON document stands."""
    line, path, key_comes = 1, list[str | int](), False
    for match in _JSON_TOKEN.finditer(text):
        part = match[0]
        if part == "\n":
            line += 1
        elif part in "{[":
            path.append("" if part == "{" else 0)
            key_comes = part == "{"
        elif part in "}]":
            path.pop()
            key_comes = False
        elif part == ",":
            last = path[-1]
            key_comes = isinstance(last, str)
            if isinstance(last, int):
                path[-1] = last + 1
        elif part == ":":
            key_comes = False
        elif key_comes:
            path[-1] = json.loads(part)
            yield tuple(path), line


def _unreadable(
    file: str, message: str, line: int | None = None, key: str | None = None
) -> Rejected:
    return Rejected(f"{file} cannot be read.", problems=[Problem(message, file, line, key)])
