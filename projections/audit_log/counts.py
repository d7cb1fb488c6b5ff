"""How many events match, by type or by day, without reading one of them.

Counts of everything stand in a table of days and types. With filters, the marks of the values
counted by are met with those of the filters, and bits are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from app.application.views import AuditRow, CountBy, Counts
from app.domain.revisions import Position
from projections.audit_log.marks import read_values
from projections.audit_log.questions import Conditions
from projections.audit_log.search import Search, windows
from projections.database import Write, inserting
from projections.views import Tables

PATIENCE = 0.06
"""Seconds until counting what holds words stops: some 300,000 events that hold them."""

DEFINITION = (
    "CREATE TABLE {days} "
    "(day TEXT NOT NULL, type TEXT NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (day, type))"
)


def counting(tables: Tables, rows: Iterable[AuditRow], moments: Iterable[str]) -> Write:
    """Count rows into the days and types they are of; ``moments`` are ``sortable``."""
    fresh = Counter((at[:10], row.type) for row, at in zip(rows, moments, strict=True))
    added = [(*key, number) for key, number in fresh.items()]
    return inserting(tables.sql(_INTO), added, tables.sql(_ADDING))


def count(search: Search, by: CountBy, newest: Position) -> Counts:
    """Count what matches; ``newest`` is the position of the log."""
    conditions = search.conditions
    if _unfiltered(conditions, newest):
        sql = search.tables.sql(_BY_TYPE if by is CountBy.TYPE else _BY_DAY)
        return Counts(dict(search.session.rows(sql)), Position(0), newest)
    counted: Counter[str] = Counter()
    search.patience = PATIENCE
    complete_from = Position(0)
    for low, high in windows(conditions.first, min(conditions.last, newest)):
        left, reached = _matches(search, low, high)
        if left:
            values = read_values(search.session, search.tables, by.value, min(left), max(left))
            for value, chunk, bits in values:
                if number := (left.get(chunk, 0) & bits).bit_count():
                    counted[value] += number
        if reached is not None:
            complete_from = Position(reached)
            break
    return Counts(dict(sorted(counted.items())), complete_from, newest)


def _matches(search: Search, low: int, high: int) -> tuple[dict[int, int], int | None]:
    """Return all matches of a range as bits, and where the walk down stopped if it did."""
    if not search.conditions.words:
        return search.matches(low, high), None
    found: dict[int, int] = {}
    for bits, reached in search.bits(low, high):
        found |= bits
        if reached > low and search.takes_too_long:
            return found, reached
    return found, None


def _unfiltered(conditions: Conditions, newest: Position) -> bool:
    times = conditions.since or conditions.until
    whole = conditions.first <= 1 and conditions.last >= newest
    return whole and not (conditions.terms or conditions.words or times)


_INTO = "INSERT INTO {days}"
_ADDING = """
ON CONFLICT (day, type) DO UPDATE SET number = {days}.number + excluded.number"""
_BY_TYPE = "SELECT type, sum(number) FROM {days} GROUP BY type ORDER BY type"
_BY_DAY = "SELECT day, sum(number) FROM {days} GROUP BY day ORDER BY day"
