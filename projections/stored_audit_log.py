"""The audit log as stored rows, with an index for each filter and one for words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from app.application.views import AuditQuery, AuditRow, Page
from app.domain.revisions import Position
from projections.audit_log import Label, audit_row, concerned_hook, label_after, searchable
from projections.audit_query import (
    check_limit,
    conditions_of,
    cursor_at,
    position_below,
    sortable,
)
from projections.event_log import Recorded
from projections.views import Session, StoredView, Tables, TextMatch

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
)
"""In the order of the members of ``AuditRow``."""

_INDEXED = ("actor", "hook", "hook_name", "trigger_id", "type", "kind", "commit_sha", "at")


class StoredAuditLog(StoredView):
    """Every event as a row for people; implements the port ``AuditLog``."""

    name = "audit_log_v1"

    def query(self, query: AuditQuery, *, cursor: str | None, limit: int) -> Page[AuditRow]:
        """Return a page, newest first; raise ``Rejected`` for a cursor or filter that is none.

        Pages continue below a position, so events that arrive meanwhile neither shift nor repeat.
        """
        check_limit(limit)
        with self._database.read() as session:
            sql, parameters = self._statement(session, query, cursor, limit + 1)
            found = session.rows(sql, *parameters)
        rows = tuple(_row(values) for values in found[:limit])
        more = len(found) > limit
        return Page(items=rows, next=cursor_at(rows[-1].position) if more else None)

    def _statement(
        self, session: Session, query: AuditQuery, cursor: str | None, limit: int
    ) -> tuple[str, tuple[Any, ...]]:
        below, wanted = position_below(cursor), conditions_of(query)
        events = self._tables(session).table("events")
        match = TextMatch(source=events, position="position", condition="", parameters=())
        if wanted.words:
            match = self._database.matching(events, wanted.words)
        # The sign keeps a database without statistics from walking all positions down in search of
        # the few rows of a range; the range's own index holds the positions too.
        sign = "+" if wanted.only_ranges and not wanted.words else ""
        clauses = filter(None, (match.condition, f"{sign}{match.position} < ?", *wanted.clauses))
        # The positions first: an index holds all that is needed to sort and cut them.
        sql = (
            f"SELECT {', '.join(_COLUMNS)} FROM {events} WHERE position IN ("  # noqa: S608 (names of ours)
            f"SELECT {match.position} FROM {match.source} WHERE {' AND '.join(clauses)} "
            f"ORDER BY {match.position} DESC LIMIT ?) ORDER BY position DESC"
        )
        return sql, (*match.parameters, below, *wanted.parameters, limit)

    def _create(self, session: Session, tables: Tables) -> None:
        session.run(tables.sql(_EVENTS % self._database.position_key))
        session.run(tables.sql(_LABELS))
        for column in _INDEXED:
            session.run(
                tables.sql(
                    f"CREATE INDEX {{events}}_by_{column} ON {{events}} ({column}, position)"
                )
            )
        for statement in self._database.text_tables(tables.table("events")):
            session.run(statement)

    def _drop(self, session: Session, tables: Tables) -> None:
        for statement in self._database.drop_text(tables.table("events")):
            session.run(statement)
        for table in ("events", "labels"):
            session.run(f"DROP TABLE IF EXISTS {tables.table(table)}")

    def _write(self, session: Session, tables: Tables, recorded: Sequence[Recorded]) -> None:
        labels = _labels(session, tables, {concerned_hook(fact) for fact in recorded} - {None})
        changed: set[str] = set()
        rows = []
        for fact in recorded:
            hook = concerned_hook(fact) or ""
            label = label_after(fact, labels.get(hook))
            if label is not None and label != labels.get(hook):
                labels[hook] = label
                changed.add(hook)
            rows.append(audit_row(fact, label))
        session.run_many(tables.sql(_INSERT), (_values(row) for row in rows))
        session.run_many(
            tables.sql(_SET_LABEL),
            ((hook, labels[hook].name, labels[hook].trigger) for hook in sorted(changed)),
        )
        self._database.add_texts(
            session, tables.table("events"), ((row.position, searchable(row)) for row in rows)
        )


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
    kind TEXT NOT NULL
)"""
_LABELS = """
CREATE TABLE {labels} (hook TEXT PRIMARY KEY, name TEXT NOT NULL, trigger_id TEXT NOT NULL)"""
_INSERT = "INSERT INTO {events} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SET_LABEL = """
INSERT INTO {labels} VALUES (?, ?, ?)
ON CONFLICT (hook) DO UPDATE SET name = excluded.name, trigger_id = excluded.trigger_id"""


def _labels(session: Session, tables: Tables, hooks: Collection[str | None]) -> dict[str, Label]:
    marks = ", ".join("?" * len(hooks))
    sql = tables.sql("SELECT hook, name, trigger_id FROM {labels} WHERE hook IN (%s)") % marks
    return {hook: Label(name, trigger) for hook, name, trigger in session.rows(sql, *hooks)}


def _values(row: AuditRow) -> tuple[Any, ...]:
    return (
        row.position,
        sortable(row.at),
        row.type,
        row.actor,
        row.origin,
        row.subject,
        row.hook,
        row.hook_name,
        row.trigger,
        row.source,
        row.commit,
        row.correlation_id,
        row.reason,
        msgspec.json.encode(row.data).decode(),
        row.type.partition(".")[0],
    )


def _row(values: tuple[Any, ...]) -> AuditRow:
    position, at, *texts, data = values
    members = (Position(position), datetime.fromisoformat(at), *texts, msgspec.json.decode(data))
    return AuditRow(*members)
