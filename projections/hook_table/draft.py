"""A table under change: copied where it is written, shared where it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from app.application.views import ActiveTable, ClientRow, HookRow, SourceRow, TriggerRow
from app.domain.revisions import Position
from projections.event_log import Recorded

Row = TypeVar("Row")


@dataclass(slots=True)
class Keys:
    """Ids of rows, by kind."""

    hooks: set[str] = field(default_factory=set)
    triggers: set[str] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)

    def add(self, others: Keys) -> None:
        self.hooks |= others.hooks
        self.triggers |= others.triggers
        self.clients |= others.clients
        self.sources |= others.sources


class Rows(Generic[Row]):
    """A mapping that is copied at its first change, and remembers which keys changed."""

    def __init__(self, before: Mapping[str, Row]) -> None:
        self._rows = before
        self._own: dict[str, Row] | None = None
        self.changed: set[str] = set()

    def __getitem__(self, key: str) -> Row:
        """Return a row; raises ``KeyError``."""
        return self._rows[key]

    def get(self, key: str) -> Row | None:
        return self._rows.get(key)

    def put(self, key: str, row: Row) -> None:
        self._writable()[key] = row
        self.changed.add(key)

    def drop(self, key: str) -> None:
        """Remove a row; raises ``KeyError``."""
        del self._writable()[key]
        self.changed.add(key)

    def finished(self) -> Mapping[str, Row]:
        return self._rows

    def _writable(self) -> dict[str, Row]:
        if self._own is None:
            before = self._rows
            # `dict(proxy)` would ask for every key by itself; `copy` is one loop in C.
            self._own = before.copy() if isinstance(before, MappingProxyType) else dict(before)
            self._rows = MappingProxyType(self._own)
        return self._own


class Draft:
    """The table before, and what a batch of events makes of it."""

    def __init__(self, before: ActiveTable) -> None:
        self.position = before.position
        self.hooks: Rows[HookRow] = Rows(before.hooks)
        self.names: Rows[str] = Rows(before.names)
        self.triggers: Rows[TriggerRow] = Rows(before.triggers)
        self.clients: Rows[ClientRow] = Rows(before.clients)
        self.tokens: Rows[str] = Rows(before.tokens)
        self.sources: Rows[SourceRow] = Rows(before.sources)

    def finished(self) -> ActiveTable:
        return ActiveTable(
            position=Position(self.position),
            hooks=self.hooks.finished(),
            names=self.names.finished(),
            triggers=self.triggers.finished(),
            clients=self.clients.finished(),
            tokens=self.tokens.finished(),
            sources=self.sources.finished(),
        )

    @property
    def changed(self) -> Keys:
        """Rows that are new, other than before, or gone."""
        return Keys(
            hooks=self.hooks.changed,
            triggers=self.triggers.changed,
            clients=self.clients.changed,
            sources=self.sources.changed,
        )


Step = Callable[[Draft, Recorded, Any], None]
"""What an event of one topic does to a draft; raises ``KeyError`` or ``ValueError``."""
