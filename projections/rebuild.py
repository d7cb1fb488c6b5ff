"""Rebuild stored views from position 1, beside those in use, and switch in one transaction.

Nobody sees a half-built view, or one new beside one old: queries read the old tables until the
switch and the new ones after it, in every process. The followers go on meanwhile and need not be
stopped. The log is read and decoded once for all views.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from app.domain.errors import HookledgerError
from app.domain.revisions import Position
from projections.event_log import EventLog, Recorded
from projections.follower import BATCH
from projections.views import StoredView, Tables

GROUP = 4096
"""Positions to a transaction: more are quicker, and keep those who save waiting longer (0.1 s)."""

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
        yield from _fill(built, log, batch, group)
    except BaseException:
        with contextlib.suppress(HookledgerError), database.write() as session:
            for view, tables in built:
                view.abandon_rebuild(session, tables)
        raise


def _fill(built: _Built, log: EventLog, batch: int, group: int) -> Generator[Progress, None, None]:
    with _without_collecting():
        done = yield from _replay(built, log, Position(0), batch, group)
    for view, tables in built:
        for statement in view.indexes():
            yield Progress(done, done, "Making indexes")
            with view.database.write() as session:
                view.index_rebuild(session, tables, statement)
    while not _switched(built):
        # A follower was faster: then there is more to select.
        done = yield from _replay(built, log, done, batch, group)


def _replay(
    built: _Built, log: EventLog, done: Position, batch: int, group: int
) -> Generator[Progress, None, Position]:
    """Take in what there is, a transaction at a time; return how far that was."""
    total = log.head()
    yield Progress(done, total)
    while recorded := _selected(log, done, batch, group):
        with built[0][0].database.write() as session:
            for view, tables in built:
                view.apply_to_rebuild(session, tables, recorded)
        done = recorded[-1].position
        yield Progress(done, max(total, done))
    return done


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


def _switched(built: _Built) -> bool:
    """Put all views to use, or none if one lacks events that arrived meanwhile."""
    with built[0][0].database.write() as session:
        if not all(view.is_rebuilt(session, tables) for view, tables in built):
            return False
        for view, tables in built:
            view.finish_rebuild(session, tables)
        return True


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Spare the search for cycles, of which replaying makes none, a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
