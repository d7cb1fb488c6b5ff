"""The active-hook table as it was now and then, so that any past one is near a kept one.

A snapshot is the whole table, packed and compressed; scripts stand apart, once each, under their
digest, and what sealed secrets hold is left out. The next is due when the events since then are as
many as the hooks, and ``INTERVAL`` at least: so going back replays no more than that, and all
snapshots together grow with the number of events, whatever the size of the table.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from app.application.views import ActiveTable, ClientRow, HookRow, SourceRow, TriggerRow
from app.domain.hooks.secrets import SealedSecret
from app.domain.revisions import Position, version_key
from projections.database import Database, Session, Write, inserting
from projections.views import Tables

INTERVAL = 2000
"""Events; folding as many takes about as long as reading a snapshot of 1000 hooks."""

TABLES = ("snapshots", "scripts")

_LEVEL = 1
"""Of compression: higher ones take thrice the time, and save a tenth."""
_SMALL = 1024
"""Bytes of a script that is not worth compressing."""
_WINDOW = 12
"""Bits; with little memory it is ready ten times sooner than the usual one."""
_MEMORY = 4
_GROUP = 500


class _Snapshot(msgspec.Struct):
    hooks: list[HookRow]
    triggers: list[TriggerRow]
    clients: list[ClientRow]
    sources: list[SourceRow]


def definitions(database: Database) -> tuple[str, ...]:
    """Return the statements that create the tables."""
    content = f"content {database.bytes_type} NOT NULL"
    return (
        f"CREATE TABLE {{snapshots}} (position BIGINT PRIMARY KEY, {content})",
        f"CREATE TABLE {{scripts}} (digest TEXT PRIMARY KEY, {content})",
    )


def is_due(session: Session, tables: Tables, position: Position) -> bool:
    """Tell whether a snapshot should be kept at ``position``."""
    ((last,),) = session.rows(tables.sql(_LAST))
    passed = position - (last or 0)
    if passed < INTERVAL:
        return False
    ((hooks,),) = session.rows(tables.sql(_HOOKS))
    return passed >= int(hooks)


def keep(session: Session, tables: Tables, table: ActiveTable) -> None:
    """Store a snapshot."""
    scripts = {_digest(row.script): row.script for row in table.hooks.values()}
    unknown = {digest: scripts[digest] for digest in _unknown(session, tables, scripts)}
    for write in _kept(tables, table, map(_slim, table.hooks.values()), unknown):
        write(session)


class Snapshots:
    """Snapshots of a table that is replayed: rows and scripts are packed when they changed."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._last = Position(0)
        self._changed: set[str] = set()
        self._slim: dict[str, HookRow] = {}

    def take(self, table: ActiveTable, changed: Iterable[str]) -> Iterable[Write]:
        """Return what keeps ``table``, if that is due; ``changed`` are ids of hooks."""
        self._changed.update(changed)
        if table.position - self._last < max(INTERVAL, len(table.hooks)):
            return ()
        self._last = table.position
        scripts: dict[str, str] = {}
        for hook_id in self._changed:
            if (row := table.hooks.get(hook_id)) is None:
                self._slim.pop(hook_id, None)
                continue
            slim = self._slim[hook_id] = _slim(row)
            scripts[slim.script] = row.script
        self._changed.clear()
        return _kept(self._tables, table, map(self._slim.__getitem__, sorted(self._slim)), scripts)


def _kept(
    tables: Tables, table: ActiveTable, slim: Iterable[HookRow], scripts: Mapping[str, str]
) -> list[Write]:
    """Return what stores ``table``, of whose ``scripts`` some may be stored already."""
    snapshot = _Snapshot(
        hooks=list(slim),
        triggers=list(table.triggers.values()),
        clients=list(table.clients.values()),
        sources=list(table.sources.values()),
    )
    content = msgspec.msgpack.encode(snapshot)
    packed = [(digest, _script_packed(script)) for digest, script in scripts.items()]

    def add(session: Session) -> None:
        # Packed here, where a rebuild has time for it.
        session.insert(tables.sql(_INTO), [(table.position, zlib.compress(content, _LEVEL))])

    return [inserting(tables.sql(_INTO_SCRIPTS), packed, _ONCE), add]


def nearest(session: Session, tables: Tables, position: Position) -> ActiveTable:
    """Return the newest table kept at or before ``position``; the empty one if there is none."""
    found = session.rows(tables.sql(_NEAREST), position)
    if not found:
        return ActiveTable()
    kept, content = found[0]
    snapshot = msgspec.msgpack.decode(zlib.decompress(content), type=_Snapshot)
    scripts = _scripts(session, tables, {row.script for row in snapshot.hooks})
    return ActiveTable(
        position=Position(kept),
        hooks=MappingProxyType({row.id: _full(row, scripts) for row in snapshot.hooks}),
        names=MappingProxyType({row.name: row.id for row in snapshot.hooks}),
        triggers=MappingProxyType({row.id: row for row in snapshot.triggers}),
        clients=MappingProxyType({row.id: row for row in snapshot.clients}),
        tokens=MappingProxyType(
            {row.token_hash: row.id for row in snapshot.clients if not row.revoked}
        ),
        sources=MappingProxyType({row.id: row for row in snapshot.sources}),
    )


def kept_positions(session: Session, tables: Tables) -> list[Position]:
    """Return where there are snapshots, in order."""
    return [Position(kept) for (kept,) in session.rows(tables.sql(_KEPT))]


def without_ciphertext(row: HookRow) -> HookRow:
    """Return the row with its secrets' names and versions only."""
    if not any(secret.ciphertext for secret in row.secrets.values()):
        return row
    secrets = {
        name: SealedSecret(secret.name, secret.key_id, ciphertext="")
        for name, secret in row.secrets.items()
    }
    return replace(row, secrets=secrets)


def _slim(row: HookRow) -> HookRow:
    # Two digests less a row: what no compression makes smaller and a reader can make again.
    return replace(without_ciphertext(row), script=_digest(row.script), version_key="")


def _full(row: HookRow, scripts: dict[str, str]) -> HookRow:
    key_ids = {name: secret.key_id for name, secret in row.secrets.items()}
    key = version_key(row.id, row.digest, key_ids)
    return replace(row, script=scripts[row.script], version_key=key)


def _unknown(session: Session, tables: Tables, scripts: dict[str, str]) -> list[str]:
    known: set[str] = set()
    for group in _groups(scripts):
        sql = tables.sql(_WHICH_SCRIPTS) % ", ".join("?" * len(group))
        known.update(digest for (digest,) in session.rows(sql, *group))
    return [digest for digest in scripts if digest not in known]


def _scripts(session: Session, tables: Tables, digests: set[str]) -> dict[str, str]:
    scripts: dict[str, str] = {}
    for group in _groups(digests):
        sql = tables.sql(_SCRIPTS) % ", ".join("?" * len(group))
        for digest, content in session.rows(sql, *group):
            scripts[digest] = zlib.decompress(content).decode()
    return scripts


def _groups(digests: Iterable[str]) -> list[list[str]]:
    ordered = sorted(digests)
    return [ordered[start : start + _GROUP] for start in range(0, len(ordered), _GROUP)]


def _digest(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()


def _script_packed(script: str) -> bytes:
    # Most are so small that preparing to compress them takes longer than all the rest.
    content = script.encode()
    level = _LEVEL if len(content) > _SMALL else 0
    packer = zlib.compressobj(level, wbits=_WINDOW, memLevel=_MEMORY)
    return packer.compress(content) + packer.flush()


_LAST = "SELECT max(position) FROM {snapshots}"
_HOOKS = "SELECT count(*) FROM {hooks}"
_NEAREST = """
SELECT position, content FROM {snapshots} WHERE position <= ? ORDER BY position DESC LIMIT 1"""
_KEPT = "SELECT position FROM {snapshots} ORDER BY position"
_INTO = "INSERT INTO {snapshots}"
_INTO_SCRIPTS = "INSERT INTO {scripts}"
_ONCE = "ON CONFLICT (digest) DO NOTHING"
_WHICH_SCRIPTS = "SELECT digest FROM {scripts} WHERE digest IN (%s)"
_SCRIPTS = "SELECT digest, content FROM {scripts} WHERE digest IN (%s)"
