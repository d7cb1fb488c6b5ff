"""Rebuild stored views from position 1, beside those in use, and switch in one transaction.

Nobody sees a half-built view, or one new beside one old: queries read the old tables until the
switch and the new ones after it, in every process. The followers go on meanwhile and need not be
stopped. The log is read and decoded once for all views.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

from app.domain.errors import HookledgerError
from app.domain.revisions import Position
from projections.database import Write
from projections.event_log import EventLog, Recorded
from projections.follower import BATCH
from projections.views import StoredView, Tables

GROUP = 4096
"""Positions to a transaction: more are quicker, and keep those who save waiting longer (0.1 s)."""

_TURN = 0.0003
"""Seconds."""

_Built = Sequence[tuple[StoredView, Tables]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rebuild is; the views are in use again when the iteration ends."""

    done: Position
    total: Position
    stage: str = "Replaying events"


def rebuild(
    views: Sequence[StoredView], log: EventLog, *, batch: int = BATCH, group: int = GROUP
) -> Generator[Progress, None, None]:
    """Replay the log into new tables of ``views`` and put them to use, telling progress.

    The views share a database. Raises ``PoisonEvent``, ``Conflict`` (a later rebuild took over),
    ``Transient`` and ``Stalled``; then, and when the iteration is broken off, all stay as before.
    """
    database = views[0].database
    with database.write() as session:
        built = [(view, view.begin_rebuild(session)) for view in views]
    try:
        yield from _Run(built, log, batch, group).steps()
    except BaseException:
        with contextlib.suppress(HookledgerError), database.write() as session:
            for view, tables in built:
                view.abandon_rebuild(session, tables)
        raise


class _Run:
    """Views on their way from the log into tables of a new generation."""

    def __init__(self, built: _Built, log: EventLog, batch: int, group: int) -> None:
        self._built = built
        self._database = built[0][0].database
        self._replays = [view.replay(tables) for view, tables in built]
        self._log = log
        self._batch = batch
        self._group = group
        self._done = Position(0)

    def steps(self) -> Iterator[Progress]:
        """Go all the way."""
        with _undisturbed(), ThreadPoolExecutor(1, "rebuild") as writer:
            yield from self._replay(writer)
            for view, tables in self._built:
                for statement in view.indexes():
                    yield Progress(self._done, self._done, "Making indexes")
                    with self._database.write() as session:
                        view.index_rebuild(session, tables, statement)
            while not self._switched():
                # A follower was faster: then there is more to select.
                yield from self._replay(writer)

    def _replay(self, writer: Executor) -> Iterator[Progress]:
        """Take in what there is: while one group is written, the next is read and taken in."""
        total = self._log.head()
        yield Progress(self._done, total)
        written: Future[None] | None = None
        while recorded := _selected(self._log, self._done, self._batch, self._group):
            writes = [list(replay.take(recorded)) for replay in self._replays]
            if written is not None:
                written.result()
                yield Progress(self._done, max(total, self._done))
            self._done = recorded[-1].position
            written = writer.submit(self._write, writes, self._done)
        if written is not None:
            written.result()
            self._write([replay.finish() for replay in self._replays], self._done)
            yield Progress(self._done, max(total, self._done))

    def _write(self, writes: Sequence[Iterable[Write]], reached: Position) -> None:
        with self._database.write() as session:
            for (view, tables), of_view in zip(self._built, writes, strict=True):
                view.apply_to_rebuild(session, tables, of_view, reached)

    def _switched(self) -> bool:
        """Put all views to use, or none if one lacks events that arrived meanwhile."""
        with self._database.write() as session:
            head = self._log.head()
            if not all(view.is_rebuilt(session, tables, head) for view, tables in self._built):
                return False
            for view, tables in self._built:
                view.finish_rebuild(session, tables)
            return True


def _selected(log: EventLog, after: Position, batch: int, group: int) -> list[Recorded]:
    """Read up to the next multiple of ``group`` in batches, which is quicker than at once.

    So what a view keeps by ranges of positions is written once, and not read again.
    """
    recorded: list[Recorded] = []
    end = ((after + 1) // group + 1) * group - 1
    while (last := recorded[-1].position if recorded else after) < end:
        wanted = min(batch, end - last)
        more = log.select(last, wanted)
        recorded += more
        if len(more) < wanted:
            break
    return recorded


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let two threads take turns quickly, and spare the search for cycles, which there are not.

    By default a thread that has written waits up to 5 ms for the interpreter.
    """
    was_enabled, interval = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(min(interval, _TURN))
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if was_enabled:
            gc.enable()
