"""Words that the audit log is asked for and can never have heard of.

A type or an origin that is misspelled would find nothing, and nothing found is an answer that
people rely on. What this version of the server writes may always be asked for; so may what is
stored, since a newer version may have written it.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import get_args

from app.domain.aggregates import Origin
from app.domain.errors import Problem, Rejected
from projections.audit_log.marks import some_values
from projections.audit_log.questions import REFUSED, Conditions, Interval
from projections.database import Session
from projections.hook_table.fold import TOPICS
from projections.views import Tables

_WORDS: dict[str, Collection[str]] = {
    "type": TOPICS | {topic.partition(".")[0] for topic in TOPICS},
    "origin": get_args(Origin),
}
"""By filter; a type's part before the dot stands for all that begin with it."""
_MOST = 12
"""Words to a complaint."""


def refuse_unheard_of(session: Session, tables: Tables, conditions: Conditions) -> None:
    """Raise ``Rejected``, with what may have been meant, for words that no event can match."""
    if problems := list(_problems(session, tables, conditions)):
        raise Rejected(REFUSED, problems=problems)


def _problems(session: Session, tables: Tables, conditions: Conditions) -> Iterator[Problem]:
    for term in conditions.terms:
        if (known := _WORDS.get(term.field)) is None:
            continue
        for word, interval in map(_asked, term.values):
            if word not in known and not some_values(session, tables, term.field, interval, 1):
                yield Problem(f"`{word}` is no {term.field}: {_meant(word, known)}", key=term.field)


def _asked(value: str | Interval) -> tuple[str, Interval]:
    if isinstance(value, Interval):
        return value.start.removesuffix("."), value
    return value, Interval(value, f"{value}\0")


def _meant(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, known, 3, 0.7)
    if close:
        return f"did you mean {' or '.join(f'`{each}`' for each in close)}?"
    whole = sorted(each for each in known if "." not in each)
    return f"there are {', '.join(f'`{each}`' for each in whole[:_MOST])}"
