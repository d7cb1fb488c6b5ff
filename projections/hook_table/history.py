"""The active-hook table as of any past position: the nearest snapshot, and a few events more."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from types import MappingProxyType

from app.application.views import ActiveTable
from app.domain.revisions import Position
from projections.event_log import EventLog
from projections.follower import BATCH
from projections.hook_table.fold import fold
from projections.hook_table.snapshots import without_ciphertext
from projections.hook_table.stored import StoredHookTable

REMEMBERED = 4
"""Tables kept in memory: who looks at a moment mostly asks several times, e.g. page by page."""


class TableHistory:
    """Implements the port ``History``. Blocking; any thread may ask."""

    def __init__(self, stored: StoredHookTable, log: EventLog) -> None:
        self._stored = stored
        self._log = log
        self._remembered: OrderedDict[Position, ActiveTable] = OrderedDict()
        self._lock = threading.Lock()

    def newest(self) -> Position:
        return self._log.head()

    def as_of(self, position: Position) -> ActiveTable:
        with self._lock:
            if (known := self._remembered.get(position)) is not None:
                self._remembered.move_to_end(position)
                return known
        table = _told(self._replayed(position))
        with self._lock:
            self._remembered[position] = table
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return table

    def _replayed(self, position: Position) -> ActiveTable:
        table = self._stored.nearest_snapshot(position)
        while table.position < position:
            recorded = self._log.select(table.position, min(BATCH, position - table.position))
            wanted = [fact for fact in recorded if fact.position <= position]
            if not wanted:
                break
            table = fold(table, wanted)
        return table


def _told(table: ActiveTable) -> ActiveTable:
    """Return the table without what only the present one may hold, names as its rows have them."""
    hooks = {row.id: without_ciphertext(row) for row in table.hooks.values()}
    return replace(
        table,
        hooks=MappingProxyType(hooks),
        names=MappingProxyType({row.name: row.id for row in hooks.values()}),
    )
