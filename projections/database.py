"""What stored views need of a database.

One that is not SQLite is another adapter of ``Database``; statements are shared and use ``?`` for
parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from app.domain.revisions import Position


class Session(Protocol):
    """An open transaction."""

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a query and return all its rows."""
        ...

    def run(self, sql: str, *parameters: Any) -> None:
        """Run a statement."""
        ...

    def run_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run a statement once per set of parameters."""
        ...

    def insert(self, into: str, rows: Sequence[Sequence[Any]], conflict: str = "") -> None:
        """Insert rows of equal width, many at a time, so that other threads go on meanwhile.

        ``into`` ends before the values, e.g. ``INSERT INTO t (a, b)``; ``conflict`` follows them.
        """
        ...


Write = Callable[[Session], None]
"""A part of a transaction that needs to know nothing more."""


def inserting(into: str, rows: Sequence[Sequence[Any]], conflict: str = "") -> Write:
    """Put ``Session.insert`` off."""
    return lambda session: session.insert(into, rows, conflict)


def running(sql: str) -> Write:
    """Put ``Session.run`` off."""
    return lambda session: session.run(sql)


class Database(ABC):
    """A database that keeps views; its methods are all in which databases differ.

    Every method raises ``Transient`` for what may go away by itself and ``Stalled`` for the rest.
    """

    position_key: ClassVar[str]
    """Column type of a primary key that holds positions."""
    bytes_type: ClassVar[str]
    """Column type of bytes."""
    clustered: ClassVar[str]
    """Stands behind a table's definition to have its rows stored within their primary key."""

    @abstractmethod
    def write(self) -> AbstractContextManager[Session]:
        """Open a transaction that commits at the end of the block, or rolls back at an error."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Session]:
        """Open a read-only snapshot; any thread may, many at a time."""

    @abstractmethod
    def locking(self, sql: str) -> str:
        """Return ``sql`` so that the rows it selects stay locked until the transaction ends."""

    @abstractmethod
    def text_tables(self, table: str) -> tuple[str, ...]:
        """Return the statements that create the text index of ``table``."""

    @abstractmethod
    def drop_text(self, table: str) -> tuple[str, ...]:
        """Return the statements that remove it, if it is there."""

    @abstractmethod
    def add_texts(
        self, session: Session, table: str, texts: Sequence[tuple[Position, str]]
    ) -> None:
        """Put texts into the index of ``table``, by the position of their rows."""

    @abstractmethod
    def word_query(self, words: Sequence[str]) -> str:
        """Write the parameter that asks for texts which hold all ``words``, taken literally."""

    @abstractmethod
    def word_walk(self, table: str, *, descending: bool) -> str:
        """Return the query for positions, in order, of texts of ``table`` that hold words.

        Its parameters: the words' query, the lowest position, the highest, how many at most.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
