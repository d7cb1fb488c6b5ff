"""The audit log and the table's past, kept in lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.application.views import (
    ActiveTable,
    AuditQuery,
    AuditRow,
    CountBy,
    Counts,
    Page,
)
from app.domain.errors import (
    Problem,
    Rejected,
)
from app.domain.revisions import Position


@dataclass
class FakeAuditLog:
    """Knows the filters ``hook``, ``type``, ``commit`` and ``from_position``; others it notes."""

    rows: list[AuditRow] = field(default_factory=list)
    """Newest first."""
    asked: list[AuditQuery] = field(default_factory=list)
    coming: list[AuditRow] = field(default_factory=list)
    """Written after the first question."""
    fails_at: str | None = None
    """A cursor that breaks the log."""

    def query(
        self, query: AuditQuery, *, cursor: str | None, limit: int, ascending: bool = False
    ) -> Page[AuditRow]:
        if cursor is not None and not cursor.isdigit():
            raise Rejected("That is no cursor of ours.", problems=[Problem("no", key="cursor")])
        if self.fails_at is not None and cursor == self.fails_at:
            raise OSError("the disk is gone: secret path")
        self.asked.append(query)
        below = int(cursor) if cursor else 10**12
        found = [row for row in self.rows if row.position < below and _is(row, query)]
        if ascending:
            found.reverse()
        self.rows, self.coming = [*self.coming, *self.rows], []
        page = found[:limit]
        more = len(found) > limit
        return Page(tuple(page), str(page[-1].position) if more else None, cursor)

    def counts(self, query: AuditQuery, *, by: CountBy) -> Counts:
        self.asked.append(query)
        counted = Counter(row.type if by is CountBy.TYPE else f"{row.at:%F}" for row in self.rows)
        return Counts(dict(sorted(counted.items())), Position(0), self.position())

    def commits(self, prefix: str, limit: int) -> Sequence[str]:
        found = {row.commit for row in self.rows if (row.commit or "").startswith(prefix)}
        return sorted(commit for commit in found if commit)[:limit]

    def position_at(self, at: datetime) -> Position:
        return max((row.position for row in self.rows if row.at <= at), default=Position(0))

    def position(self) -> Position:
        newest = max((row.position for row in self.rows), default=Position(0))
        self.rows, self.coming = [*self.coming, *self.rows], []
        return newest


def _is(row: AuditRow, query: AuditQuery) -> bool:
    return (
        query.hook in (None, row.hook, row.hook_name)
        and row.type.startswith(query.type or "")
        and (row.commit or "").startswith(query.commit or "")
        and row.position >= (query.from_position or 0)
    )


@dataclass
class FakeHistory:
    tables: dict[int, ActiveTable] = field(default_factory=dict)
    """By position; the highest is the newest."""

    def newest(self) -> Position:
        return Position(max(self.tables, default=0))

    def as_of(self, position: Position) -> ActiveTable:
        return self.tables[position]
