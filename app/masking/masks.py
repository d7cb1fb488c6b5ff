"""Hiding known secret values in text that leaves: log lines, error messages, recorded results.

Hidden is every value of at least four characters (shorter ones occur in ordinary text all the time)
wherever it stands, in upper or lower case, and each line of a value of several lines. So are the
forms in which programs write values and their lines (``written_forms``), also in the middle of
longer encoded text. A value may be folded: blanks at the end of a line and at the beginning of the
next do not hide it, nor do those by which columns of numbers are aligned.

All forms are looked for at once (Aho-Corasick), so that the cost of a line does not grow with their
number. What disguises a value, say by reversing it or by writing its characters apart, stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ahocorasick_rs import AhoCorasick, Implementation

from app.masking.written_forms import SHORTEST_MASKED, written_forms

MASK = "***"

Mask = Callable[[str], str]
Span = tuple[int, int]

_MOST_TAILS = 32
"""Places from either end of where a value may have begun: a line of one character has thousands."""


class _View:
    """A text as it is searched, in lower case; ``unaligned`` without blanks that align numbers."""

    __slots__ = ("_aligned", "_kept", "text")

    def __init__(self, folded: str, *, unaligned: bool = False) -> None:
        self._aligned = folded if unaligned else None
        self._kept: list[int] = []
        self.text = _ALIGNED.sub("", folded) if unaligned else folded

    def shown(self, start: int, end: int) -> Span:
        """Return where a part of the text stands in the one that is shown."""
        if self._aligned is None:
            return start, end
        if not self._kept:  # most texts hold no value, and are not asked
            done = 0
            for blanks in _ALIGNED.finditer(self._aligned):
                self._kept += range(done, blanks.start())
                done = blanks.end()
            self._kept += range(done, len(self._aligned))
        return self._kept[start], self._kept[end - 1] + 1


class Masker:
    """Masks ``values``; made once for each version of a hook."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = (form for value in values for form in written_forms(value))
        self._forms = tuple({_folded(_encodable(form)) for form in forms})
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
        spans: list[Span] = []
        for view in _views(text):
            self._look(self._found, view, spans)
        return _replaced(text, spans)

    def line(self, text: str, begun: tuple[Begun, ...]) -> tuple[str, tuple[Begun, ...]]:
        """Mask a line that follows one which ended in the middle of values.

        ``begun`` says which values, and how much of them that line held; returned with the masked
        text is the same for the line to come. A piece of less than four characters at the end of a
        line stays, since half of all words begin a value; its other part goes.
        """
        if self._found is None or not text or text.isspace():
            return text, begun
        text = _encodable(text)
        spans: list[Span] = []
        to_come: set[Begun] = set()
        for view in _views(text):
            end = len(view.text.rstrip())
            starts = self._look(self._found, view, spans)
            for form, had in begun:
                self._go_on(form, had, view, end, spans, to_come)
            starts = [start for start in starts if end - self._longest < start < end]
            self._begin({*starts[:_MOST_TAILS], *starts[-_MOST_TAILS:]}, view, end, spans, to_come)
        return _replaced(text, spans), tuple(to_come)

    def _begin(
        self, starts: set[int], view: _View, end: int, spans: list[Span], to_come: set[Begun]
    ) -> None:
        """See which values a line may have begun when it ended."""
        for start in starts:
            tail = view.text[start:end]
            for form in self._by_head[tail[:SHORTEST_MASKED]]:
                if len(form) > len(tail) and form.startswith(tail):
                    spans.append(view.shown(start, end))
                    to_come.add((form, len(tail)))
        for length in range(1, min(SHORTEST_MASKED, end + 1)):
            ended_with = view.text[end - length : end]
            to_come.update((form, length) for form in self._by_head.get(ended_with, ()))

    def _go_on(
        self, form: str, had: int, view: _View, end: int, spans: list[Span], to_come: set[Begun]
    ) -> None:
        """See whether a line goes on with a form of which ``had`` characters were there."""
        text = view.text
        begin = len(text) - len(text.lstrip())
        at = had
        while at < len(form) - 1 and form[at].isspace():
            at += 1
        length = min(len(form) - at, end - begin)
        if not form.startswith(text[begin : begin + length], at):
            return
        if at + length < len(form):
            to_come.add((form, at + length))
        if at + length >= SHORTEST_MASKED:
            spans.append(view.shown(begin, begin + length))

    def _look(self, found: AhoCorasick, view: _View, spans: list[Span]) -> list[int]:
        """Note where values are; return where they begin."""
        starts: list[int] = []
        for number, start, end in found.find_matches_as_indexes(view.text, overlapping=True):
            if number < len(self._forms):
                spans.append(view.shown(start, end))
            else:
                starts.append(start)
        return starts


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


def _views(text: str) -> tuple[_View, ...]:
    folded = _folded(text)
    if ", " in folded and _ALIGNED.search(folded):
        return _View(folded), _View(folded, unaligned=True)
    return (_View(folded),)


_ALIGNED = re.compile(r"(?<=\d,) +(?=\d)")


def _folded(text: str) -> str:
    """Return the text in lower case, each character where it was."""
    return text.lower() if text.isascii() else text.translate(_BEFORE_LOWERING).lower()


_BEFORE_LOWERING = str.maketrans("\u0130\u0131\u03a3\u03c2", "ii\u03c3\u03c3")
"""Where lower case is of another length, or depends on the neighbours, or leads elsewhere: the
dotted capital I and the dotless small one, a capital sigma and a final one."""


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
