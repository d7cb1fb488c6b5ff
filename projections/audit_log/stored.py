"""The audit log as stored rows, with marks for each filter and an index for words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from app.application.views import AuditQuery, AuditRow, CountBy, Counts, Page
from app.domain.revisions import Position
from projections.audit_log.counts import DEFINITION, count
from projections.audit_log.cursors import CursorsOf, Place
from projections.audit_log.marks import Marks, definitions, some_values, stored_marks
from projections.audit_log.questions import (
    LAST_POSITION,
    Conditions,
    check_limit,
    commits_beginning,
    conditions_of,
    sortable,
)
from projections.audit_log.rows import AuditRows
from projections.audit_log.search import Search
from projections.audit_log.translation import Label, concerned_hook
from projections.audit_log.vocabulary import refuse_unheard_of
from projections.audit_log.words import Words, drop_words, stored_words
from projections.database import Session
from projections.event_log import Recorded
from projections.views import Replay, StoredView, Tables

_COLUMNS = (
    "position",
    "at",
    "type",
    "actor",
    "origin",
    "subject",
    "hook",
    "hook_name",
    "trigger_id",
    "source",
    "commit_sha",
    "correlation_id",
    "reason",
    "data",
    "signer",
)
"""In the order of the members of ``AuditRow``."""

_ROW = f"SELECT {', '.join(_COLUMNS)} FROM {{events}} WHERE position = ?"  # noqa: S608 (names of ours)
_AT = "SELECT position FROM {events} WHERE at <= ? ORDER BY at DESC, position DESC LIMIT 1"
_BY_AT = "CREATE INDEX {events}_by_at ON {events} (at, position)"


class StoredAuditLog(StoredView):
    """Every event as a row for people; implements the port ``AuditLog``."""

    name = "audit_log_v2"

    def query(
        self, query: AuditQuery, *, cursor: str | None, limit: int, ascending: bool = False
    ) -> Page[AuditRow]:
        """Return a page; raise ``Rejected`` for a filter that is none, or a cursor of another list.

        Pages continue beyond a position, so events that arrive meanwhile neither shift nor repeat.
        One whose words occur very often may hold fewer rows than asked for, even none, and yet
        have a ``next``.
        """
        cursors = CursorsOf(query, ascending=ascending)
        place = None if cursor is None else cursors.read(cursor)
        conditions = conditions_of(query)
        check_limit(limit)
        back = place is not None and place.back
        descending = ascending == back
        with self._database.read() as session:
            search = self._search(session, conditions)
            first, last = conditions.first, min(conditions.last, self._state(session).position)
            if place is not None and descending:
                last = min(last, place.position - 1)
            elif place is not None:
                first = max(first, place.position + 1)
            found = search.find(first, last, descending=descending, wanted=limit + 1)
            rows = self._rows(session, sorted(found.positions[:limit], reverse=not ascending))
        # A walk that found one row more than asked for, or stopped on its way, is to be continued.
        reached = found.reached
        if len(found.positions) > limit:
            reached = found.positions[limit - 1]
        beyond = None if reached is None else cursors.write(Place(reached, back=back))
        behind = None
        if place is not None:
            # The row a cursor names lies outside its page, so an empty page turns round behind it.
            step = -1 if descending else 1
            nearest = found.positions[0] if found.positions else place.position + step
            nearest = min(max(nearest, 0), LAST_POSITION)
            behind = cursors.write(Place(nearest, back=not back))
        following, previous = (behind, beyond) if back else (beyond, behind)
        return Page(items=rows, next=following, previous=previous)

    def counts(self, query: AuditQuery, *, by: CountBy) -> Counts:
        """Count the events that match; raise ``Rejected`` for a filter that is none."""
        conditions = conditions_of(query)
        with self._database.read() as session:
            return count(self._search(session, conditions), by, self._state(session).position)

    def commits(self, prefix: str, limit: int) -> tuple[str, ...]:
        """Return the ids of commits that caused events and begin with ``prefix``, in order."""
        with self._database.read() as session:
            tables, interval = self._tables(session), commits_beginning(prefix)
            return tuple(some_values(session, tables, "commit", interval, limit))

    def position_at(self, at: datetime) -> Position:
        """Return the position of the last event that had happened at an instant; 0 for none."""
        with self._database.read() as session:
            found = session.rows(self._tables(session).sql(_AT), sortable(at))
        return Position(found[0][0]) if found else Position(0)

    def _search(self, session: Session, conditions: Conditions) -> Search:
        tables = self._tables(session)
        refuse_unheard_of(session, tables, conditions)
        return Search(self._database, session, tables, conditions)

    def _rows(self, session: Session, positions: Sequence[int]) -> tuple[AuditRow, ...]:
        # Looked up one by one: whatever SQLite knows of its tables, there is no other way.
        sql = self._tables(session).sql(_ROW)
        return tuple(_row(session.rows(sql, position)[0]) for position in positions)

    def _create(self, session: Session, tables: Tables) -> None:
        session.run(tables.sql(_EVENTS % self._database.position_key))
        for statement in (_LABELS, *definitions(self._database), DEFINITION):
            session.run(tables.sql(statement))

    def indexes(self) -> tuple[str, ...]:
        """Return the index by time: made at once it costs a tenth of growing along."""
        return (_BY_AT,)

    def _drop(self, session: Session, tables: Tables) -> None:
        drop_words(self._database, session, tables)
        for table in ("events", "labels", "marks", "spans", "days"):
            session.run(f"DROP TABLE IF EXISTS {tables.table(table)}")

    def _write(self, session: Session, tables: Tables, recorded: Sequence[Recorded]) -> None:
        rows = AuditRows(
            tables,
            _labels(session, tables, {concerned_hook(fact) for fact in recorded} - {None}),
            Words(self._database, tables, stored_words(session, tables)),
            Marks(tables, stored_marks(session, tables)),
        )
        for write in rows.take(recorded):
            write(session)

    def replay(self, tables: Tables) -> Replay:
        words = Words(self._database, tables, lambda _partition: False)
        return AuditRows(tables, {}, words, Marks(tables, lambda _chunk, _key: b""))


_EVENTS = """
CREATE TABLE {events} (
    position %s,
    at TEXT NOT NULL,
    type TEXT NOT NULL,
    actor TEXT NOT NULL,
    origin TEXT NOT NULL,
    subject TEXT NOT NULL,
    hook TEXT,
    hook_name TEXT,
    trigger_id TEXT,
    source TEXT,
    commit_sha TEXT,
    correlation_id TEXT,
    reason TEXT,
    data TEXT NOT NULL,
    signer TEXT
)"""
_LABELS = """
CREATE TABLE {labels} (hook TEXT PRIMARY KEY, name TEXT NOT NULL, trigger_id TEXT NOT NULL)"""


def _labels(session: Session, tables: Tables, hooks: Collection[str | None]) -> dict[str, Label]:
    marks = ", ".join("?" * len(hooks))
    sql = tables.sql("SELECT hook, name, trigger_id FROM {labels} WHERE hook IN (%s)") % marks
    return {hook: Label(name, trigger) for hook, name, trigger in session.rows(sql, *hooks)}


def _row(values: tuple[Any, ...]) -> AuditRow:
    position, at, *texts, data, signer = values
    members: tuple[Any, ...] = (
        Position(position),
        datetime.fromisoformat(at),
        *texts,
        msgspec.json.decode(data),
        None if signer is None else msgspec.json.decode(signer),
    )
    return AuditRow(*members)
