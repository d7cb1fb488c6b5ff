"""What the endpoints need of the rest of the server, put together by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread

from app.application.callers.accept_tokens import TokenDesk
from app.application.callers.access_ports import AccessLog
from app.application.callers.answer_once import AnswerOnce
from app.application.callers.issue_tokens import TokenIssuer
from app.application.callers.sign_in import SignIn
from app.application.history.hook_versions import PastVersion
from app.application.history.issue_checkpoints import HistoryProver
from app.application.history.time_travel import TimeTravel
from app.application.history.verifications import VerificationDesk
from app.application.invoking.invoke import Invoker
from app.application.invoking.run_draft import DraftRunner
from app.application.managing.hook_writer import HookWriter
from app.application.observing.following import Live
from app.application.ports import AuditLog, Clock, HookTable, Journal
from app.application.syncing.commit_files import FileCommitter
from app.application.syncing.preview_plan import Preview
from app.application.syncing.receive_webhooks import WebhookDesk
from app.application.syncing.results import SyncResult
from app.application.syncing.status import Readiness, SourceStatus
from app.domain.aggregates import Meta
from app.domain.errors import NotFound
from app.domain.revisions import Position
from app.web.protocol.rate_limits import RateLimits

T = TypeVar("T")

READ_THREADS = 8
"""Queries that run at once; more wait in line, so that reports leave threads to the sync."""


def _no_webhooks() -> WebhookDesk:
    return WebhookDesk({}, lambda: datetime.min.replace(tzinfo=UTC))


def _no_recipient() -> str:
    raise NotFound("This server has no key to seal secrets for.")


def _own_threads() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(READ_THREADS)


class SourceDesk(Protocol):
    """What may be asked of a followed source; the errors are those of the use cases."""

    @property
    def id(self) -> str: ...

    def status(self) -> SourceStatus:
        """Say where it stands; from memory."""
        ...

    async def sync(self) -> SyncResult:
        """Apply the branch's tip now."""
        ...

    async def preview(self, ref: str | None) -> Preview:
        """Say what applying ``ref`` (default: the tip) would do."""
        ...

    async def suspend(self, until: datetime | None, meta: Meta) -> Position:
        """Apply nothing by itself until then."""
        ...

    async def resume(self, meta: Meta) -> Position:
        """Follow the branch again; its tip is applied soon."""
        ...

    async def approve(self, digest: str, meta: Meta) -> SyncResult:
        """Approve the held plan, and apply it."""
        ...

    async def roll_back(self, commit: str, meta: Meta) -> SyncResult:
        """Put a formerly applied commit in force again."""
        ...


class SyncDesk(Protocol):
    """The sources."""

    def statuses(self) -> Sequence[SourceStatus]:
        """Say where each stands, also those that are followed no more; from memory."""
        ...

    def one(self, source: str | None) -> SourceDesk:
        """Return the followed source of that id, or the only one.

        Raises ``Rejected`` when one of several must be named, ``NotFound``.
        """
        ...


@dataclass(frozen=True, slots=True)
class WebServices:
    """Use cases and read views, as callables where more would say too much."""

    invoker: Invoker
    drafts: DraftRunner
    hooks: HookTable
    writer: HookWriter
    once: AnswerOnce
    audit: AuditLog
    past: TimeTravel
    prover: HistoryProver
    verifications: VerificationDesk
    journal: Journal
    live: Live
    access: AccessLog
    tokens: TokenIssuer
    desk: TokenDesk
    limits: RateLimits
    sync: SyncDesk
    committers: Mapping[str, FileCommitter]
    """By the id of the source that they write to."""
    readiness: Callable[[], Readiness]
    """Blocking; called from a thread."""
    metrics: Callable[[], bytes]
    """Prometheus' text format, version 0.0.4. Blocking; called from a thread."""
    version: str
    hook_versions: Callable[[str], Sequence[PastVersion]]
    """By a hook's id, newest first. Blocking; called from a thread."""
    sign_in: SignIn
    address: str
    """Where people and programs reach the server, without a slash at the end."""
    clock: Clock
    webhooks: WebhookDesk = field(default_factory=_no_webhooks)
    recipient: Callable[[], str] = _no_recipient
    """To whom secrets are sealed that are committed. Blocking; called from a thread."""
    read_threads: anyio.CapacityLimiter = field(default_factory=_own_threads)

    async def read(self, question: Callable[[], T]) -> T:
        """Ask a blocking view from a thread."""
        return await anyio.to_thread.run_sync(question, limiter=self.read_threads)
