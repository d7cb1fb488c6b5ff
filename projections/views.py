"""Stored views: tables derived from the events, with the position they are derived up to.

Rows and position are written in one transaction that locks the position first, so any number of
processes may feed the same view and every event takes effect exactly once. A rebuild fills tables
of a new *generation* beside those in use; one row says which generation is in use, so the switch is
one small transaction that all processes see at once.
"""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.domain.errors import Conflict
from app.domain.revisions import Position
from projections.database import Database, Session, Write
from projections.event_log import Recorded


class Replay(ABC):
    """A view taken in from the first event on by memory alone: no row is ever read back."""

    @abstractmethod
    def take(self, recorded: Sequence[Recorded]) -> Iterable[Write]:
        """Take in the events that follow those before; return what is to be written.

        Raises ``PoisonEvent``.
        """

    def finish(self) -> Iterable[Write]:
        """Return what was put off, so that the tables are as the events taken in make them."""
        return ()


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one generation of a view; ``{name}`` in a statement stands for one of them."""

    view: str
    generation: int

    def sql(self, template: str) -> str:
        return _named(f"{self.view}_g{self.generation}_", template)

    def table(self, name: str) -> str:
        return self.sql(f"{{{name}}}")


class StoredView(ABC):
    """A view that is kept in a database. Its methods may be called from any thread."""

    name: ClassVar[str]
    """Names the tables; ends with the version of their layout, so that a new one starts empty."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.write() as session:
            session.run(_POSITIONS)
            session.run(_REGISTER, self.name)
            if (state := self._locked(session)).generation == 0:
                self._create(session, first := Tables(self.name, 1))
                for statement in self.indexes():
                    session.run(first.sql(statement))
                session.run(_SWITCH, 1, state.position, self.name)

    def apply(self, after: Position, recorded: Sequence[Recorded]) -> Position:
        """Take in all events that follow ``after``; return the position reached.

        The batch takes effect whole or not at all. What another process has taken in already is
        dropped; if the view is behind ``after`` (somebody reset it), nothing is taken in and the
        caller continues at the position returned.
        Raises ``PoisonEvent`` for an event the view must understand and does not, ``Transient`` and
        ``Stalled`` from the database.
        """
        with self._database.write() as session:
            state = self._locked(session)
            fresh = [fact for fact in recorded if fact.position > state.position]
            if not fresh or after > state.position:
                return state.position
            self._write(session, Tables(self.name, state.generation), fresh)
            session.run(_ADVANCE, fresh[-1].position, self.name)
            return fresh[-1].position

    def position(self) -> Position:
        """Return the position of the newest event taken in, 0 at first."""
        with self._database.read() as session:
            return self._state(session).position

    def reset(self) -> None:
        """Empty the view; its followers, of all processes, start again from position 0."""
        with self._database.write() as session:
            state = self._locked(session)
            tables = self._next_generation(session, state)
            for statement in self.indexes():
                session.run(tables.sql(statement))
            self._drop(session, Tables(self.name, state.generation))
            session.run(_SWITCH, tables.generation, 0, self.name)

    @property
    def database(self) -> Database:
        """Where the view is kept; views that share one are rebuilt together."""
        return self._database

    def begin_rebuild(self, session: Session) -> Tables:
        """Create an empty generation beside the one in use; an unfinished older one is dropped."""
        tables = self._next_generation(session, self._locked(session))
        session.run(_BEGIN, tables.generation, self.name)
        return tables

    def apply_to_rebuild(
        self, session: Session, tables: Tables, writes: Iterable[Write], reached: Position
    ) -> None:
        """Write to a generation under construction; raise ``Conflict`` if it is gone."""
        self._building(session, tables)
        for write in writes:
            write(session)
        session.run(_ADVANCE_BUILT, reached, self.name)

    def index_rebuild(self, session: Session, tables: Tables, statement: str) -> None:
        """Run one of ``indexes`` on a generation that has its rows; raise ``Conflict``."""
        self._building(session, tables)
        session.run(tables.sql(statement))

    def is_rebuilt(self, session: Session, tables: Tables, head: Position) -> bool:
        """Tell whether a generation under construction lacks nothing; raise ``Conflict``.

        The one in use may be beyond ``head``, where the log ends: events were removed.
        """
        state = self._building(session, tables)
        return state.built >= min(state.position, head)

    def finish_rebuild(self, session: Session, tables: Tables) -> None:
        """Put a generation to use, and drop the one before."""
        state = self._building(session, tables)
        self._drop(session, Tables(self.name, state.generation))
        session.run(_SWITCH, tables.generation, state.built, self.name)

    def abandon_rebuild(self, session: Session, tables: Tables) -> None:
        """Drop a generation under construction; harmless if it is gone or in use."""
        if self._locked(session).building == tables.generation:
            self._drop(session, tables)
            session.run(_ABANDON, self.name)

    def indexes(self) -> tuple[str, ...]:
        """Return what is quicker made once the rows are there, as templates of statements."""
        return ()

    @abstractmethod
    def replay(self, tables: Tables) -> Replay:
        """Return what takes the log into an empty generation."""

    @abstractmethod
    def _create(self, session: Session, tables: Tables) -> None:
        """Create the tables, empty, without ``indexes``."""

    @abstractmethod
    def _drop(self, session: Session, tables: Tables) -> None:
        """Remove the tables, if they are there."""

    @abstractmethod
    def _write(self, session: Session, tables: Tables, recorded: Sequence[Recorded]) -> None:
        """Bring the rows up to date with ``recorded``."""

    def _tables(self, session: Session) -> Tables:
        """Return the tables in use, as this transaction sees them."""
        return Tables(self.name, self._state(session).generation)

    def _state(self, session: Session) -> _State:
        return _State(*session.rows(_STATE, self.name)[0])

    def _locked(self, session: Session) -> _State:
        return _State(*session.rows(self._database.locking(_STATE), self.name)[0])

    def _building(self, session: Session, tables: Tables) -> _State:
        state = self._locked(session)
        if state.building != tables.generation:
            raise Conflict(f"Another rebuild of {self.name} has begun; this one gives way.")
        return state

    def _next_generation(self, session: Session, state: _State) -> Tables:
        if state.building:
            self._drop(session, Tables(self.name, state.building))
        tables = Tables(self.name, max(state.generation, state.building) + 1)
        self._create(session, tables)
        return tables


@dataclass(frozen=True, slots=True)
class _State:
    generation: int
    position: Position
    building: int
    built: Position


_POSITIONS = """
CREATE TABLE IF NOT EXISTS projection_positions (
    name TEXT PRIMARY KEY,
    generation BIGINT NOT NULL DEFAULT 0,
    position BIGINT NOT NULL DEFAULT 0,
    building BIGINT NOT NULL DEFAULT 0,
    built BIGINT NOT NULL DEFAULT 0
)"""
_REGISTER = "INSERT INTO projection_positions (name) VALUES (?) ON CONFLICT (name) DO NOTHING"
_STATE = "SELECT generation, position, building, built FROM projection_positions WHERE name = ?"
_ADVANCE = "UPDATE projection_positions SET position = ? WHERE name = ?"
_ADVANCE_BUILT = "UPDATE projection_positions SET built = ? WHERE name = ?"
_BEGIN = "UPDATE projection_positions SET building = ?, built = 0 WHERE name = ?"
_ABANDON = "UPDATE projection_positions SET building = 0, built = 0 WHERE name = ?"
_SWITCH = """
UPDATE projection_positions SET generation = ?, position = ?, building = 0, built = 0
WHERE name = ?"""


@functools.lru_cache(maxsize=256)
def _named(prefix: str, template: str) -> str:
    return re.sub(r"\{(\w+)\}", rf"{prefix}\1", template)
