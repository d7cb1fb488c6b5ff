"""How far a sync has come, for whoever waits for a large first one."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable

_log = logging.getLogger("hookledger.reconcile")

_WORTH_A_LINE = 500
"""Things to do from which on a stage takes long enough to be told of."""


class SyncStage(enum.StrEnum):
    """What a sync does, in this order."""

    READING = "reading the commit"
    CHECKING = "checking scripts"
    STORING = "storing changes"


OnStage = Callable[[SyncStage, int], None]
"""Told each stage as it begins, and how many things there are to do; 0 if that is not known."""


def log_large_stages(stage: SyncStage, count: int) -> None:
    """Write a line for a stage that will take a while."""
    if count >= _WORTH_A_LINE:
        _log.info("sync_stage", extra={"stage": str(stage), "count": count})
