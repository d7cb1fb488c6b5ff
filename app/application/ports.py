"""What the use cases need of the outside world; adapters implement these, tests fake them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from app.application.journal_views import (
    ExecutionQuery,
    ExecutionRecord,
    LogQuery,
    Recording,
    Stats,
    StatsQuery,
    StoredExecution,
    StoredLine,
)
from app.application.views import ActiveTable, AuditQuery, AuditRow, CountBy, Counts, Delivery, Page
from app.domain.callers.tokens import VerifiedToken
from app.domain.documents.packages import PackageSet
from app.domain.errors import Problem
from app.domain.hooks.secrets import SealedSecret
from app.domain.outcomes import Call, HookVersion, LogLine, Outcome, ScriptToCheck
from app.domain.revisions import Position


class Clock(Protocol):
    """The time of day."""

    def __call__(self) -> datetime:
        """Return now, aware, in UTC."""
        ...


class HookTable(Protocol):
    """The active-hook table in memory."""

    @property
    def table(self) -> ActiveTable:
        """The newest table; reading it costs one attribute."""
        ...

    async def wait_for(self, position: Position, timeout: float) -> bool:
        """Wait until the table is as new as ``position``; False after ``timeout`` seconds."""
        ...


class AuditLog(Protocol):
    """The stored audit log. Blocking: call it from a thread."""

    def query(
        self, query: AuditQuery, *, cursor: str | None, limit: int, ascending: bool = False
    ) -> Page[AuditRow]:
        """Return a page, newest first unless ``ascending``, within a bounded time.

        A page of rows that hold words may be short, even empty, and yet have a ``next``. Raises
        ``Rejected`` for filters that are none, and for a cursor of other filters or another order.
        """
        ...

    def counts(self, query: AuditQuery, *, by: CountBy) -> Counts:
        """Count the events that match, within a bounded time; raise ``Rejected``."""
        ...

    def commits(self, prefix: str, limit: int) -> Sequence[str]:
        """Return ids of commits that caused events and begin with ``prefix``, in order."""
        ...

    def position_at(self, at: datetime) -> Position:
        """Return the position of the last event that had happened at an instant; 0 for none."""
        ...

    def position(self) -> Position:
        """Return the position up to which the log is written."""
        ...


class History(Protocol):
    """The active-hook table of the past. Blocking: call it from a thread."""

    def newest(self) -> Position:
        """Return the newest position there is; raise ``Transient``."""
        ...

    def as_of(self, position: Position) -> ActiveTable:
        """Return the table as it was after ``position``, in a time that does not grow with age.

        Of secrets it holds names and key ids only. Raises ``Transient`` and ``Stalled``.
        """
        ...


class Runner(Protocol):
    """Runs hooks, isolated."""

    async def run(self, version: HookVersion, call: Call) -> Outcome:
        """Run once; never raises for anything the hook or its worker does."""
        ...

    def distrust(self, version: HookVersion, outcome: Outcome) -> None:
        """Kill the worker that gave an answer which cannot be read, if it still runs."""
        ...

    async def prepare(self, versions: Sequence[HookVersion]) -> None:
        """Keep workers warm for just these versions; others finish their calls and retire."""
        ...

    def expect(self, versions: Sequence[HookVersion]) -> None:
        """Start workers for versions that will soon be enabled; let go of them if they are not."""
        ...

    async def check(self, scripts: Sequence[ScriptToCheck]) -> Sequence[Problem]:
        """Compile, without running, each script, isolated; say what is wrong and where."""
        ...


class Packages(Protocol):
    """Packages of hooks, installed once each; a set without packages needs no call."""

    async def ensure(
        self, wanted: Collection[PackageSet]
    ) -> Mapping[PackageSet, Sequence[Problem]]:
        """Install what is not there; return what is wrong with each set that cannot be had.

        Problems bear the key of the manifest, ``dependencies.<name>``. Raises ``Transient`` when a
        registry cannot be reached, ``Stalled`` when this machine lacks what installs.
        """
        ...

    def folder(self, wanted: PackageSet) -> str | None:
        """Return the name of the folder that holds the set; None until it is installed. Cheap."""
        ...

    async def sweep(self, in_use: Collection[PackageSet]) -> None:
        """Delete what nobody has used for a while, but never what is ``in_use``."""
        ...


class Vault(Protocol):
    """Seals and opens values. Blocking, but fast (microseconds and one small write)."""

    def seal(self, hook_id: str, name: str, value: str) -> SealedSecret:
        """Encrypt under a new data key bound to hook and name; the key is stored on return."""
        ...

    def open(self, hook_id: str, secret: SealedSecret) -> str:
        """Decrypt; raise ``NotFound`` if the key was destroyed, ``Rejected`` if it was moved."""
        ...

    def destroy(self, key_ids: Iterable[str]) -> None:
        """Make the values under these data keys unreadable for ever; unknown ids are ignored."""
        ...

    def protect(self, purpose: str, data: bytes) -> bytes:
        """Encrypt data at rest that is not a secret of a hook, e.g. queued payloads."""
        ...

    def reveal(self, purpose: str, protected: bytes) -> bytes:
        """Undo ``protect``; raise ``Rejected`` when it was altered or made for another purpose."""
        ...


class Recorder(Protocol):
    """Takes execution records and log lines; never blocks."""

    def record(self, execution: ExecutionRecord) -> None:
        """Add to the batch that is written next."""
        ...

    def log(self, line: LogLine) -> None:
        """Add to the batch that is written next."""
        ...


class Journal(Recorder, Protocol):
    """Holds what was recorded; reading blocks (call it from a thread)."""

    def executions(
        self, query: ExecutionQuery, *, cursor: str | None, limit: int
    ) -> Page[ExecutionRecord]:
        """Return a page, newest first."""
        ...

    def lines(self, query: LogQuery, *, cursor: str | None, limit: int) -> Page[StoredLine]:
        """Return a page, newest first."""
        ...

    def lines_after(self, sequence: int, limit: int) -> Sequence[StoredLine]:
        """Return the lines that were stored next after one, in their order."""
        ...

    def executions_after(self, sequence: int, limit: int) -> Sequence[StoredExecution]:
        """Return the records that were stored next after one, in their order."""
        ...

    def newest(self) -> tuple[int, int]:
        """Return the numbers of the newest record and of the newest line; 0: none yet."""
        ...

    def recordings(self, invocation_id: str) -> Sequence[Recording]:
        """Return payloads and results that triggers had recorded, decrypted."""
        ...

    def is_recorded(self, invocation_id: str) -> bool:
        """Tell whether there are any, without decrypting them."""
        ...

    def stats(self, query: StatsQuery) -> Stats:
        """Return counts and percentiles of a window; raise ``Rejected`` for too much."""
        ...


class DeliveryQueue(Protocol):
    """Durable queue of accepted invocations."""

    async def enqueue(self, delivery: Delivery) -> None:
        """Store; on return the delivery survives ``kill -9``. The same id twice is stored once."""
        ...


class TokenSigner(Protocol):
    """Signs access tokens (JWT, RFC 7519). Blocking for a fraction of a millisecond."""

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return the token."""
        ...

    def public_keys(self) -> Mapping[str, Any]:
        """Return the keys that verify tokens which are still valid, as a JWK Set (RFC 7517)."""
        ...


class TokenVerifier(Protocol):
    """Judges signed access tokens, our own and those of trusted issuers; never waits."""

    def verify(self, token: str) -> VerifiedToken:
        """Return what the token proves.

        Raises ``Unauthenticated``, or ``Transient`` while an issuer's keys are not known.
        """
        ...


Deliver = Callable[[Delivery], Awaitable[bool]]
"""Runs a delivery; True when it is done, False to have it tried again later."""

Schedule = Mapping[int, float]
"""Attempt number to the seconds to wait before the next one."""
