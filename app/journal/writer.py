"""The thread that writes the journal: batches, one transaction each, then a little forgetting."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from app.application.ports import Clock, Vault
from app.domain.outcomes import LogLine
from app.journal.accesses import AccessCounter, Counted, Key
from app.journal.buffer import Batch, Buffer, Signals
from app.journal.retention import Retention, prune_aged, prune_excess
from app.journal.store import OnStored, Store

_LOG = logging.getLogger("hookledger.journal")

_HOUSEKEEPING_SECONDS = 60.0
_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Counters:
    """What has become of everything recorded since the start."""

    stored_executions: int = 0
    stored_lines: int = 0
    dropped_executions: int = 0
    dropped_lines: int = 0
    accesses: int = 0


class Writer:
    """Owns the only connection that writes."""

    def __init__(
        self,
        path: Path,
        buffer: Buffer,
        signals: Signals,
        accesses: AccessCounter,
        clock: Clock,
        flush_interval: float,
        retention: Retention,
        vault: Vault | None,
        on_stored: OnStored,
    ) -> None:
        self._path = path
        self._buffer = buffer
        self._signals = signals
        self._clock = clock
        self._flush_interval = flush_interval
        self._retention = retention
        self._accesses = accesses
        self._on_stored = on_stored
        self._stored = Store(path, clock, vault, round(flush_interval * 1000))
        self._connection = self._stored.connection
        self._settled = threading.Condition()
        self._ticket = 0
        self._counters = Counters()
        self._give_up = threading.Event()
        self._closing = False
        self._pruned_at = float("-inf")
        # Daemon: a server that dies without closing must not hang on its journal.
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    @property
    def counters(self) -> Counters:
        """What was stored and dropped so far."""
        return self._counters

    def wait_for(self, ticket: int, timeout: float) -> bool:
        """Wait until everything up to ``ticket`` is stored; False after ``timeout`` seconds."""
        self._signals.urge()
        with self._settled:
            return self._settled.wait_for(lambda: self._ticket >= ticket, timeout)

    def close(self, timeout: float) -> None:
        """Write what is left, for ``timeout`` seconds at most, and end the thread."""
        self._closing = True
        self._signals.urge()
        self._thread.join(timeout)
        self._give_up.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            unfinished = True
            while not self._closing:
                self._signals.filled.wait(0 if unfinished else _HOUSEKEEPING_SECONDS)
                if self._signals.filled.is_set():
                    self._signals.hurry.wait(self._flush_interval)
                self._write()
                unfinished = self._forget()
            self._write()
        finally:
            self._stored.close()

    def _write(self) -> None:
        # Cleared before the taking: what is added after it sets them again.
        self._signals.filled.clear()
        self._signals.hurry.clear()
        batch, noted = self._buffer.take(), self._accesses.take()
        try:
            if noted or not batch.is_empty:
                self._store_stubbornly(self._with_notices(batch), noted)
        except Exception:  # noqa: BLE001 (without this thread every later record is lost too)
            self._lose(batch, "of an unforeseen error")
        with self._settled:
            self._ticket = batch.ticket
            self._settled.notify_all()

    def _store_stubbornly(self, batch: Batch, noted: Mapping[Key, Counted]) -> None:
        failing = False
        while True:
            try:
                self._store(batch, noted)
            except sqlite3.Error as error:
                if not failing:
                    _LOG.error("The journal %s cannot be written, trying on: %s", self._path, error)
                failing = True
                if self._give_up.is_set() or self._give_up.wait(_RETRY_SECONDS):
                    self._lose(batch, "it was closed while its file could not be written")
                    return
            else:
                if failing:
                    _LOG.warning("The journal %s can be written again.", self._path)
                return

    def _store(self, batch: Batch, noted: Mapping[Key, Counted]) -> None:
        stored = self._stored.store(batch, noted)
        counters = self._counters
        self._counters = replace(
            counters,
            stored_executions=counters.stored_executions + len(stored.executions),
            stored_lines=counters.stored_lines + len(stored.lines),
            dropped_executions=counters.dropped_executions
            + len(batch.executions)
            - len(stored.executions),
            dropped_lines=counters.dropped_lines + len(batch.lines) - len(stored.lines),
            accesses=counters.accesses + sum(each.count for each in noted.values()),
        )
        self._on_stored(stored)

    def _with_notices(self, batch: Batch) -> Batch:
        """Count what was dropped, and say so where people will look for it."""
        lines = sum(batch.dropped_lines.values())
        if not lines and not batch.dropped_executions:
            return batch
        self._counters = replace(
            self._counters,
            dropped_lines=self._counters.dropped_lines + lines,
            dropped_executions=self._counters.dropped_executions + batch.dropped_executions,
        )
        _LOG.error(
            "%d log lines and %d executions were dropped: they came faster than the journal %s"
            " could store them.",
            lines,
            batch.dropped_executions,
            self._path,
        )
        notices = [
            self._notice(hook_id, f"{count} log lines of this hook")
            for hook_id, count in batch.dropped_lines.items()
        ]
        if batch.dropped_executions:
            notices.append(self._notice("", f"{batch.dropped_executions} execution records"))
        return replace(batch, lines=(*notices, *batch.lines))

    def _notice(self, hook_id: str, what: str) -> LogLine:
        text = f"hookledger: {what} were dropped here, for want of room in the journal's buffer"
        return LogLine(None, hook_id, self._clock(), "warning", "log", text)

    def _lose(self, batch: Batch, reason: str) -> None:
        self._counters = replace(
            self._counters,
            dropped_executions=self._counters.dropped_executions + len(batch.executions),
            dropped_lines=self._counters.dropped_lines + len(batch.lines),
        )
        _LOG.exception(
            "%d executions and %d log lines of the journal %s are lost because %s.",
            len(batch.executions),
            len(batch.lines),
            self._path,
            reason,
        )

    def _forget(self) -> bool:
        """Prune a little; True if there is more to prune."""
        try:
            aged = False
            if time.monotonic() - self._pruned_at >= _HOUSEKEEPING_SECONDS:
                aged = prune_aged(self._connection, self._retention, self._clock())
                if not aged:
                    self._pruned_at = time.monotonic()
            return prune_excess(self._connection, self._retention) or aged
        except sqlite3.Error as error:
            _LOG.warning("The journal %s could not be pruned this time: %s", self._path, error)
            self._pruned_at = time.monotonic()
            return False
