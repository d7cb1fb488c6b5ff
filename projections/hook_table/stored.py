"""The active-hook table as stored rows: what a server starts from, without replaying the log.

A batch loads the few rows its events touch, folds them as the table in memory does, and writes back
what changed; so there is one fold, and no process keeps a copy that could grow stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec

from app.application.views import ActiveTable, ClientRow, HookRow, SourceRow, TriggerRow
from app.domain.revisions import Position
from projections.database import Session, Write, inserting
from projections.event_log import Recorded
from projections.hook_table.draft import Keys
from projections.hook_table.fold import fold_with_changes, touched
from projections.hook_table.snapshots import TABLES, Snapshots, definitions, is_due, keep, nearest
from projections.views import Replay, StoredView, Tables

Row = TypeVar("Row", bound=HookRow | TriggerRow | ClientRow | SourceRow)

# A set has no order of its own: without this, two rebuilds would write one row in two ways.
_encode = msgspec.json.Encoder(order="deterministic").encode


class StoredHookTable(StoredView):
    """Hooks, triggers, clients and sources: each row as JSON beside its indexed columns."""

    name = "hook_table_v2"

    def load_table(self) -> ActiveTable:
        """Return everything, rows and position from one snapshot."""
        with self._database.read() as session:
            state = self._state(session)
            return stored_table(session, self._tables(session), state.position)

    def nearest_snapshot(self, position: Position) -> ActiveTable:
        """Return the newest table kept at or before ``position``; the empty one if there is none.

        Of secrets it has names and key ids only.
        """
        with self._database.read() as session:
            return nearest(session, self._tables(session), position)

    def _create(self, session: Session, tables: Tables) -> None:
        for statement in definitions(self._database):
            session.run(tables.sql(statement))
        for kind in _KINDS:
            for statement in kind.definitions():
                session.run(tables.sql(statement))

    def _drop(self, session: Session, tables: Tables) -> None:
        for table in (*(kind.name for kind in _KINDS), *TABLES):
            session.run(f"DROP TABLE IF EXISTS {tables.table(table)}")

    def _write(self, session: Session, tables: Tables, recorded: Sequence[Recorded]) -> None:
        before = _load(session, tables, touched(recorded), Position(0))
        after, changed = fold_with_changes(before, recorded)
        for write in _saving(tables, after, changed):
            write(session)
        if is_due(session, tables, after.position):
            keep(session, tables, _load(session, tables, None, after.position))

    def replay(self, tables: Tables) -> Replay:
        return _Replay(tables)


class _Replay(Replay):
    """The table in memory; its rows are written at the end, as most will change again."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._table = ActiveTable()
        self._changed = Keys()
        self._snapshots = Snapshots(tables)

    def take(self, recorded: Sequence[Recorded]) -> Iterable[Write]:
        self._table, changed = fold_with_changes(self._table, recorded)
        self._changed.add(changed)
        return self._snapshots.take(self._table, changed.hooks)

    def finish(self) -> Iterable[Write]:
        changed, self._changed = self._changed, Keys()
        return _saving(self._tables, self._table, changed)


def stored_table(session: Session, tables: Tables, position: Position) -> ActiveTable:
    """Load all rows of a generation, which is at ``position``."""
    return _load(session, tables, None, position)


def _saving(tables: Tables, table: ActiveTable, changed: Keys) -> list[Write]:
    return [
        *_HOOKS.saving(tables, table.hooks, changed.hooks),
        *_TRIGGERS.saving(tables, table.triggers, changed.triggers),
        *_CLIENTS.saving(tables, table.clients, changed.clients),
        *_SOURCES.saving(tables, table.sources, changed.sources),
    ]


def _load(session: Session, tables: Tables, keys: Keys | None, position: Position) -> ActiveTable:
    """Load all rows, or those that ``keys`` names and the hooks their triggers run."""
    triggers = _TRIGGERS.load(session, tables, keys.triggers if keys else None)
    if keys is not None:
        keys.hooks.update(*(row.hooks for row in triggers.values()))
    hooks = _HOOKS.load(session, tables, keys.hooks if keys else None)
    clients = _CLIENTS.load(session, tables, keys.clients if keys else None)
    return ActiveTable(
        position=position,
        hooks=MappingProxyType(hooks),
        names=MappingProxyType({row.name: row.id for row in hooks.values()}),
        triggers=MappingProxyType(triggers),
        clients=MappingProxyType(clients),
        tokens=MappingProxyType(
            {row.token_hash: row.id for row in clients.values() if not row.revoked}
        ),
        sources=MappingProxyType(_SOURCES.load(session, tables, keys.sources if keys else None)),
    )


@dataclass(frozen=True)
class _Kind(Generic[Row]):
    """How rows of one kind are stored; ``columns`` are members with a column and an index."""

    name: str
    row_class: type[Row]
    columns: tuple[str, ...] = ()

    def definitions(self) -> tuple[str, ...]:
        # Quoted, because `trigger` is a word of SQL.
        columns = "".join(f'"{column}" TEXT NOT NULL, ' for column in self.columns)
        table = f"{{{self.name}}}"
        return (
            f"CREATE TABLE {table} (id TEXT PRIMARY KEY, {columns}content TEXT NOT NULL)",
            *(
                f'CREATE INDEX {table}_by_{column} ON {table} ("{column}")'
                for column in self.columns
            ),
        )

    def load(self, session: Session, tables: Tables, ids: Collection[str] | None) -> dict[str, Row]:
        select = f"SELECT id, content FROM {tables.table(self.name)}"  # noqa: S608 (names of ours)
        if ids is not None:
            select += f" WHERE id IN ({', '.join('?' * len(ids))})"
        found = session.rows(select + " ORDER BY id", *sorted(ids or ()))
        decode = msgspec.json.Decoder(self.row_class).decode
        return {identifier: decode(content) for identifier, content in found}

    def saving(
        self, tables: Tables, rows: Mapping[str, Row], changed: Collection[str]
    ) -> Iterable[Write]:
        """Return what stores the rows that changed, and removes those that are gone."""
        table = tables.table(self.name)
        present = [rows[identifier] for identifier in sorted(changed) if identifier in rows]
        gone = [(identifier,) for identifier in sorted(changed) if identifier not in rows]
        stored = ("id", *(f'"{column}"' for column in self.columns), "content")
        updates = ", ".join(f"{column} = excluded.{column}" for column in stored[1:])
        yield inserting(
            f"INSERT INTO {table} ({', '.join(stored)})",
            [self._values(row) for row in present],
            f"ON CONFLICT (id) DO UPDATE SET {updates}",
        )
        remove = f"DELETE FROM {table} WHERE id = ?"  # noqa: S608 (names of ours)
        yield lambda session: session.run_many(remove, gone)

    def _values(self, row: Row) -> tuple[str, ...]:
        columns = (getattr(row, column) for column in self.columns)
        return (row.id, *columns, _encode(row).decode())


_HOOKS = _Kind("hooks", HookRow, ("name", "trigger", "owner"))
_TRIGGERS = _Kind("triggers", TriggerRow)
_CLIENTS = _Kind("clients", ClientRow, ("token_hash",))
_SOURCES = _Kind("sources", SourceRow)
_KINDS: tuple[_Kind[Any], ...] = (_HOOKS, _TRIGGERS, _CLIENTS, _SOURCES)
