"""Whether the tables in use say what the events say, for those who verify the history.

The events are the truth, but what people read, and what the server runs, are tables made of them:
whoever writes to the file could change those alone. Here everything is made anew from the events
and compared. The file is only read, in one snapshot.

Not compared are the places of words in the index: only in how many events each word is.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import asdict

from app.application.views import ActiveTable
from app.domain.errors import Stalled
from app.domain.revisions import Position
from projections.audit_log.stored import StoredAuditLog
from projections.event_log import EventLog, Recorded
from projections.follower import BATCH
from projections.hook_table.fold import fold
from projections.hook_table.snapshots import kept_positions, nearest, without_ciphertext
from projections.hook_table.stored import StoredHookTable, stored_table
from projections.rebuild import rebuild
from projections.sqlite import SQLiteDatabase, SQLiteSession
from projections.views import Tables

Progress = Callable[[int], None]
"""Called with the number of events done; each is looked at for both tables."""

Row = tuple[Any, ...]

_STATE = "SELECT generation, position FROM projection_positions WHERE name = ?"
_UNREADABLE = (msgspec.MsgspecError, zlib.error, UnicodeDecodeError, KeyError, TypeError)
_AUDIT_TABLES = {
    "events": "its rows",
    "labels": "its names of hooks",
    "marks": "what filters go by",
    "spans": "its index of times",
    "days": "its counts",
}
_PARTS = ("hooks", "triggers", "clients", "sources")


def check_tables(path: Path, log: EventLog, progress: Progress = lambda _: None) -> list[str]:
    """Return a sentence for each table that does not say what the events of ``log`` say.

    Raises ``Stalled`` if the file cannot be read, and ``PoisonEvent``.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(
            sqlite3.connect(address, uri=True, isolation_level=None, timeout=15)
        ) as file:
            file.execute("BEGIN")
            return [
                *_ahead(file, log),
                *_hooks_differ(file, log, progress),
                *_audit_differs(file, log, progress),
            ]
    except sqlite3.Error as error:
        sentence = f"The tables in {path} cannot be compared: {error}."
        raise Stalled(f"{sentence} Run `hookledger rebuild`.") from error


@dataclass(frozen=True, slots=True)
class _UpTo:
    """A log that ends at a position, whatever happens meanwhile."""

    log: EventLog
    last: Position

    def select(self, after: Position, limit: int) -> Sequence[Recorded]:
        return self.log.select(after, min(limit, self.last - after)) if after < self.last else ()

    def head(self) -> Position:
        return self.last


def _in_use(file: sqlite3.Connection, name: str) -> tuple[Tables, Position] | None:
    known = file.execute("SELECT 1 FROM sqlite_master WHERE name = 'projection_positions'")
    state = file.execute(_STATE, (name,)).fetchone() if known.fetchone() else None
    return (Tables(name, state[0]), Position(state[1])) if state and state[0] else None


def _ahead(file: sqlite3.Connection, log: EventLog) -> Iterator[str]:
    for name in (StoredHookTable.name, StoredAuditLog.name):
        state, head = _in_use(file, name), log.head()
        if state is not None and state[1] > head:
            yield f"{name} claims to be at event {state[1]} of {head}: it would miss the next ones."


def _hooks_differ(file: sqlite3.Connection, log: EventLog, progress: Progress) -> Iterator[str]:
    if (state := _in_use(file, StoredHookTable.name)) is None:
        return
    (tables, position), session, table = state, SQLiteSession(file), ActiveTable()
    for moment in kept_positions(session, tables):
        if moment > position:
            yield f"There is a table of hooks as of position {moment}, which was not reached yet."
            return
        table = _folded(table, log, moment, progress)
        told = _table_differs(_without_ciphertexts(table), lambda: nearest(session, tables, moment))  # noqa: B023 (called at once)
        if told:
            yield f"The hooks as of position {moment} are not those of the events: {told}."
            return
    table = _folded(table, log, position, progress)
    if told := _table_differs(table, lambda: stored_table(session, tables, position)):
        yield f"The table of hooks that the server starts from is not that of the events: {told}."


def _folded(table: ActiveTable, log: EventLog, end: Position, progress: Progress) -> ActiveTable:
    log = _UpTo(log, end)
    while recorded := log.select(table.position, BATCH):
        table = fold(table, recorded)
        progress(table.position // 2)
    return table


def _table_differs(made: ActiveTable, load: Callable[[], ActiveTable]) -> str | None:
    try:
        stored = load()
    except _UNREADABLE as error:
        return f"it cannot be read ({type(error).__name__})"
    for part in _PARTS:
        if told := _rows_differ(part, getattr(stored, part), getattr(made, part)):
            return told
    return None


def _rows_differ(part: str, stored: Mapping[str, Any], made: Mapping[str, Any]) -> str | None:
    if stored == made:
        return None
    kind = part.removesuffix("s")
    for key in (*made, *stored):
        one, other = stored.get(key), made.get(key)
        if one is None or other is None:
            return f"the {kind} `{key}` is {'missing' if one is None else 'one too many'}"
        if one != other:
            before, after = asdict(one), asdict(other)
            changed = ", ".join(name for name in before if before[name] != after[name])
            return f"the {kind} `{after.get('name', key)}` differs ({changed})"
    return None


def _without_ciphertexts(table: ActiveTable) -> ActiveTable:
    hooks = {row.id: without_ciphertext(row) for row in table.hooks.values()}
    return ActiveTable(table.position, hooks, {}, table.triggers, table.clients, {}, table.sources)


def _audit_differs(file: sqlite3.Connection, log: EventLog, progress: Progress) -> Iterator[str]:
    if (state := _in_use(file, StoredAuditLog.name)) is None:
        return
    tables, position = state
    with tempfile.TemporaryDirectory(prefix="hookledger-") as folder:
        path = Path(folder) / "audit.db"
        with contextlib.closing(SQLiteDatabase(path)) as database:
            audit = StoredAuditLog(database)
            for step in rebuild([audit], _UpTo(log, position)):
                progress((position + step.done) // 2)
        with contextlib.closing(sqlite3.connect(path)) as made:
            anew = _in_use(made, StoredAuditLog.name)
            if anew is not None:
                yield from _first_difference(file, tables, made, anew[0])


def _first_difference(
    stored: sqlite3.Connection, in_use: Tables, made: sqlite3.Connection, anew: Tables
) -> Iterator[str]:
    for table, meaning in _AUDIT_TABLES.items():
        sql = f"SELECT * FROM {{{table}}} ORDER BY 1, 2, 3"  # noqa: S608 (names of ours)
        rows = stored.execute(in_use.sql(sql))
        for one, other in zip_longest(rows, made.execute(anew.sql(sql))):
            if one == other:
                continue
            if table != "events":
                yield f"The audit log does not say what the events say: {meaning} differ."
            else:
                told = _event([column[0] for column in rows.description], one, other)
                yield f"The audit log does not say what the events say: {told}."
            return
    if _words(stored, in_use) != _words(made, anew):
        yield "The audit log does not say what the events say: its index of words differs."


def _event(names: Sequence[str], one: Row | None, other: Row | None) -> str:
    if one is None or (other is not None and one[0] > other[0]):
        return f"event {other[0] if other else '?'} is missing"
    if other is None or one[0] < other[0]:
        return f"there is no event {one[0]}"
    members = zip(names, one, other, strict=True)
    changed = ", ".join(name for name, before, after in members if before != after)
    return f"event {one[0]} differs ({changed})"


def _words(file: sqlite3.Connection, tables: Tables) -> dict[str, bytes]:
    """Return for each partition a digest of its words, and of how many events have each."""
    found = {}
    prefix = tables.table("events_")
    indexes = file.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%'"
        " AND substr(name, 1, ?) = ?",
        (len(prefix), prefix),
    )
    for (name,) in indexes.fetchall():
        file.execute(f"CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, '{name}', 'row')")
        digest = hashlib.sha256()
        for row in file.execute("SELECT term, doc, cnt FROM temp.words ORDER BY term"):
            digest.update(repr(row).encode())
        found[name.removeprefix(prefix)] = digest.digest()
        file.execute("DROP TABLE temp.words")
    return found
