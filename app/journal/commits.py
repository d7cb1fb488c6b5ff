"""Commits named by the beginnings of their ids."""

from __future__ import annotations

import re
import sqlite3

from app.domain.errors import Problem, Rejected

MOST_COMMITS = 20
"""That one beginning may stand for; seven digits hardly ever stand for two."""

_COMMIT = re.compile(r"[0-9a-f]{7,40}\Z")
_WHOLE = 40
_PAST_HEX = "g"
"""The character after the last digit."""


def beginning_with(given: str) -> tuple[str, str]:
    """Return the first id that begins so, and the first beyond; raise ``Rejected`` for no id."""
    prefix = given.lower()
    if not _COMMIT.match(prefix):
        problem = Problem("must be 7 to 40 hexadecimal digits", key="commit")
        raise Rejected("That is no commit.", problems=[problem])
    return prefix, prefix + _PAST_HEX


def commits_of(connection: sqlite3.Connection, given: str) -> list[str]:
    """Return the commits that ran and whose ids begin so; raise ``Rejected`` for no id."""
    first, beyond = beginning_with(given)
    if len(first) == _WHOLE:
        return [first]
    found: list[str] = []
    while len(found) < MOST_COMMITS:
        # One look-up for each, however many records it has.
        (commit,) = connection.execute(
            "SELECT min(commit_id) FROM executions WHERE commit_id >= ? AND commit_id < ?",
            (f"{found[-1]}!" if found else first, beyond),
        ).fetchone()
        if commit is None:
            break
        found.append(commit)
    return found
