"""Statistics of a window, from the counts of its minutes or hours."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import timedelta

from app.application.journal_views import Stats, StatsGroup, StatsPoint, StatsQuery
from app.domain.errors import Rejected
from app.journal.commits import beginning_with
from app.journal.pages import check_window
from app.journal.tallies import HOUR, MINUTE, Counts, decode
from app.sqlite_files import from_microseconds, to_microseconds

MINUTES_UP_TO = timedelta(hours=6)
"""Longer windows are told by the hour."""
MOST_ROWS = 50_000
"""Counts that one answer reads: some 0.3 s."""

_Group = tuple[str, str, str]
"""Trigger, hook and commit; empty: none."""


def read_stats(
    connection: sqlite3.Connection, query: StatsQuery, hook_ids: Sequence[str] | None
) -> Stats:
    """Add up the window's counts; ``hook_ids`` are the hooks meant, None: all."""
    check_window(query.since, query.until)
    width = MINUTE if query.until - query.since <= MINUTES_UP_TO else HOUR
    step = width * 1_000_000
    since = to_microseconds(query.since) // step * step
    overall = Counts()
    groups: dict[_Group, Counts] = {}
    names: dict[_Group, str] = {}
    series: dict[int, Counts] = {}
    for at, trigger, hook_id, commit, name, stored in _rows(
        connection, query, hook_ids, width, since
    ):
        counts, group = decode(stored), (trigger, hook_id, commit)
        names[group] = name
        for sum_of in (
            overall,
            groups.setdefault(group, Counts()),
            series.setdefault(at, Counts()),
        ):
            sum_of.merge(counts)
    told = [
        StatsGroup(group[0], group[1] or None, names[group] or None, group[2] or None, each.tally())
        for group, each in groups.items()
    ]
    return Stats(
        since=from_microseconds(since),
        until=query.until,
        width_seconds=width,
        overall=overall.tally(),
        groups=tuple(sorted(told, key=lambda group: -group.tally.runs)),
        series=tuple(
            StatsPoint(from_microseconds(at), each.tally()) for at, each in series.items()
        ),
    )


def _rows(
    connection: sqlite3.Connection,
    query: StatsQuery,
    hook_ids: Sequence[str] | None,
    width: int,
    since: int,
) -> Sequence[tuple[int, str, str, str, str, bytes]]:
    """Select counts of ``width`` seconds from ``since`` on; raise ``Rejected`` for too many."""
    conditions = ["width = ?", "at >= ?", "at < ?"]
    values: list[object] = [width, since, to_microseconds(query.until)]
    if query.trigger is not None:
        conditions.append("trigger_id = ?")
        values.append(query.trigger)
    if query.commit is not None:
        conditions += ["commit_id >= ?", "commit_id < ?"]
        values += beginning_with(query.commit)
    if hook_ids is not None:
        conditions.append(f"hook_id IN ({', '.join('?' * len(hook_ids))})")
        values += hook_ids
    rows = connection.execute(
        "SELECT at, trigger_id, hook_id, commit_id, hook_name, counts FROM tallies"  # noqa: S608 (constant names; values are bound)
        f" WHERE {' AND '.join(conditions)} ORDER BY at LIMIT {MOST_ROWS + 1}",
        values,
    ).fetchall()
    if len(rows) > MOST_ROWS:
        raise Rejected(
            f"The window holds more than {MOST_ROWS} counts of hooks and commits: ask for a "
            "shorter one, or for one trigger or hook."
        )
    return rows
