"""Rebuild a stored view from position 1, beside the one in use, and switch in one transaction.

Nobody sees a half-built view: queries read the old tables until the switch and the new ones after
it, in every process. The followers go on meanwhile and need not be stopped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass

from app.domain.errors import HookledgerError
from app.domain.revisions import Position
from projections.event_log import EventLog
from projections.follower import BATCH
from projections.views import StoredView, Tables


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rebuild is; the view is in use again when the iteration ends."""

    view: str
    done: Position
    total: Position


def rebuild(
    view: StoredView, log: EventLog, *, batch: int = BATCH
) -> Generator[Progress, None, None]:
    """Replay the log into new tables of ``view`` and put them to use, telling progress.

    Raises ``PoisonEvent``, ``Conflict`` (a later rebuild took over), ``Transient`` and ``Stalled``;
    then, and when the iteration is broken off, the view stays as it was.
    """
    tables = view.begin_rebuild()
    try:
        yield from _replay(view, log, tables, batch)
    except BaseException:
        with contextlib.suppress(HookledgerError):
            view.abandon_rebuild(tables)
        raise


def _replay(
    view: StoredView, log: EventLog, tables: Tables, batch: int
) -> Generator[Progress, None, None]:
    done, total = Position(0), log.head()
    yield Progress(view.name, done, total)
    while True:
        recorded = log.select(done, batch)
        if recorded:
            view.apply_to_rebuild(tables, recorded)
            done = recorded[-1].position
            total = max(total, done)
            yield Progress(view.name, done, total)
        # False means that a follower was faster: then there is more to select.
        if len(recorded) < batch and view.finish_rebuild(tables):
            return
