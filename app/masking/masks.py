"""Hiding known secret values in text that leaves: log lines, error messages, recorded results.

Hidden is every value of at least four characters (shorter ones occur in ordinary text all the time)
wherever it stands, and each line of a value of several lines. So are the forms in which programs
write values: as JSON and Python escape them, percent-encoded, in hexadecimal, and in Base64 of
either alphabet, also in the middle of longer encoded text. Encoded forms count from six characters.

All forms are looked for at once (Aho-Corasick), so that the cost of a line does not grow with their
number. What disguises a value, say by reversing it or by writing its characters apart, stays.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus

from ahocorasick_rs import AhoCorasick, Implementation

MASK = "***"
SHORTEST_MASKED = 4
SHORTEST_ENCODED = 6

Mask = Callable[[str], str]
Span = tuple[int, int]

_MOST_TAILS = 32
"""Places from either end of where a value may have begun: a line of one character has thousands."""


class Masker:
    """Masks ``values``; made once for each version of a hook."""

    def __init__(self, values: Iterable[str]) -> None:
        self._forms = tuple({form for value in values for form in _forms(value)})
        heads = {form[:SHORTEST_MASKED] for form in self._forms}
        self._by_head: dict[str, list[str]] = {}
        for form in self._forms:
            for length in range(1, SHORTEST_MASKED + 1):
                self._by_head.setdefault(form[:length], []).append(form)
        # The beginnings are looked for as well: a line may end in the middle of a value.
        # As a table of all transitions it would take seconds to make for long values.
        self._found = (
            AhoCorasick([*self._forms, *heads], implementation=Implementation.ContiguousNFA)
            if self._forms
            else None
        )
        self._longest = max(map(len, self._forms), default=0)

    def __call__(self, text: str) -> str:
        """Return the text with every value replaced by ``***``."""
        if self._found is None:
            return text
        text = _encodable(text)
        spans, _ = self._look(self._found, text)
        return _replaced(text, spans)

    def line(self, text: str, begun: tuple[Begun, ...]) -> tuple[str, tuple[Begun, ...]]:
        """Mask a line that follows one which ended in the middle of values.

        ``begun`` says which values, and how much of them that line held; returned with the masked
        text is the same for the line to come. A piece of less than four characters at the end of a
        line stays, since half of all words begin a value; its other part goes.
        """
        if self._found is None or not text:
            return text, begun
        text = _encodable(text)
        spans, starts = self._look(self._found, text)
        to_come: set[Begun] = set()
        for form, had in begun:
            if text.startswith(form[had:]):
                spans.append((0, len(form) - had))
            elif form.startswith(text, had):
                to_come.add((form, had + len(text)))
                if had + len(text) >= SHORTEST_MASKED:
                    spans.append((0, len(text)))
        starts = [start for start in starts if start > len(text) - self._longest]
        for start in {*starts[:_MOST_TAILS], *starts[-_MOST_TAILS:]}:
            tail = text[start:]
            for form in self._by_head[tail[:SHORTEST_MASKED]]:
                if len(form) > len(tail) and form.startswith(tail):
                    spans.append((start, len(text)))
                    to_come.add((form, len(tail)))
        for length in range(1, min(SHORTEST_MASKED, len(text) + 1)):
            to_come.update((form, length) for form in self._by_head.get(text[-length:], ()))
        return _replaced(text, spans), tuple(to_come)

    def _look(self, found: AhoCorasick, text: str) -> tuple[list[Span], list[int]]:
        """Return where values are, and where they begin."""
        spans: list[Span] = []
        starts: list[int] = []
        for number, start, end in found.find_matches_as_indexes(text, overlapping=True):
            if number < len(self._forms):
                spans.append((start, end))
            else:
                starts.append(start)
        return spans, starts


Begun = tuple[str, int]
"""A form of a value, and how many of its characters a line ended with."""


class LineMasker:
    """Masks the lines of one call, each of its streams by itself, in their order."""

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun: dict[int, tuple[Begun, ...]] = {}

    def __call__(self, masker: Masker, stream: int, text: str) -> str:
        """Mask a line of a stream."""
        masked, self._begun[stream] = masker.line(text, self._begun.get(stream, ()))
        return masked


NOTHING = Masker(())
"""Masks no value."""


def mask_for(values: Iterable[str]) -> Mask:
    """Return a function that masks ``values`` in a text."""
    return Masker(values)


def _forms(value: str) -> Iterator[str]:
    for form in {value, *_escaped(value), *value.splitlines()}:
        if len(form) >= SHORTEST_MASKED:
            yield form
    if len(value) >= SHORTEST_MASKED:
        for form in _encoded(value.encode("utf-8", "surrogatepass")):
            if len(form) >= SHORTEST_ENCODED:
                yield form


def _escaped(value: str) -> Iterator[str]:
    for written in (json.dumps(value), json.dumps(value, ensure_ascii=False), repr(value)):
        yield written[1:-1]
        yield json.dumps(written[1:-1])[1:-1]  # JSON in JSON, as loggers nest it
    for escaped in (quote(value, ""), quote(value), quote_plus(value)):
        yield escaped
        yield _lower_escapes(escaped)


def _lower_escapes(text: str) -> str:
    first, *others = text.split("%")
    return "%".join((first, *(each[:2].lower() + each[2:] for each in others)))


def _encoded(data: bytes) -> Iterator[str]:
    yield data.hex()
    yield data.hex().upper()
    for before in range(3):
        # Only the characters that no neighbouring byte has a part in: 6 bits each.
        text = base64.b64encode(b"\0" * before + data).decode()
        inner = text[-(-8 * before // 6) : 8 * (before + len(data)) // 6]
        whole = (text, text.rstrip("=")) if before == 0 else ()
        for form in (inner, *whole):
            yield form
            yield form.translate(_URL_SAFE)


_URL_SAFE = str.maketrans("+/", "-_")


def _encodable(text: str) -> str:
    """Replace halves of surrogate pairs, which can be in no value."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _replaced(text: str, spans: list[Span]) -> str:
    """Put one mask for each place, and for each run of places that overlap."""
    if not spans:
        return text
    parts: list[str] = []
    done = covered = 0
    for start, end in sorted(spans):
        if start >= covered:
            parts += (text[done:start], MASK)
        covered = max(covered, end)
        done = covered
    parts.append(text[done:])
    return "".join(parts)
