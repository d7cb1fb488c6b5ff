"""What the journal answers beside records and lines: recorded content, statistics, accesses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from app.domain.outcomes import LogLine, OutcomeKind
from app.domain.revisions import Position


class Content(msgspec.Struct, frozen=True):
    """Payload and result of a run whose trigger says ``record = "masked"``; masked already."""

    payload: bytes | None
    """JSON text; None if it was left out."""
    result: bytes | None
    """JSON text of the result, or of the error's members; None if there is none."""
    masked: tuple[str, ...]
    """The rules that were applied beside those that always are."""
    left_out: str | None = None
    """Why something is not here: a sentence."""


class ExecutionRecord(msgspec.Struct, frozen=True):
    """One invocation, as the journal keeps it; never holds secrets."""

    invocation_id: str
    at: datetime
    trigger: str
    hook_id: str | None
    hook_name: str | None
    commit: str | None
    position: Position
    caller: str
    """Client id, or ``queue`` for a delivery that is retried."""
    kind: OutcomeKind
    error: str | None
    """Error class and message of an errored hook, or the sentence of a platform failure; masked."""
    queued_ms: float
    ran_ms: float
    total_ms: float
    request_bytes: int
    response_bytes: int
    error_class: str | None = None
    """Name of the error that the hook raised, e.g. ``PreUserRegistrationError``."""
    content: Content | None = None
    """Payload and result, if the trigger has them recorded; never read back with the record."""


@dataclass(frozen=True, slots=True)
class ExecutionQuery:
    """Filters are combined with *and*; None means any."""

    trigger: str | None = None
    hook: str | None = None
    """ULID or name."""
    commit: str | None = None
    """7 digits or more of its beginning."""
    kind: OutcomeKind | None = None
    invocation_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    caller: str | None = None
    min_ms: float | None = None
    """Only those whose total took at least so long."""
    text: str | None = None
    """A part of the error's sentence; case does not matter."""
    unsuccessful: bool = False
    """Only those that did not succeed, however they ended."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Filters are combined with *and*; None means any."""

    invocation_id: str | None = None
    hook: str | None = None
    """ULID."""
    level: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    hooks: tuple[str, ...] | None = None
    """Only lines of these; ULIDs."""
    text: str | None = None
    """A part of the line; case does not matter."""


@dataclass(frozen=True, slots=True)
class StoredExecution:
    """A record with its place in the journal, the key of following."""

    sequence: int
    record: ExecutionRecord


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A log line with its place in the journal, the key of pages and of following."""

    sequence: int
    line: LogLine


@dataclass(frozen=True, slots=True)
class Recording:
    """Recorded content as it was stored."""

    invocation_id: str
    hook_id: str | None
    at: datetime
    content: Content


@dataclass(frozen=True, slots=True)
class StatsQuery:
    """Filters are combined with *and*; None means any."""

    since: datetime
    """Inclusive; taken back to the beginning of its minute, or of its hour in a long window."""
    until: datetime
    """Exclusive."""
    trigger: str | None = None
    hook: str | None = None
    """ULID or name."""
    commit: str | None = None
    """7 digits or more of its beginning."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds, within 3.2 %; None when nothing ran."""

    p50: float | None
    p95: float | None
    p99: float | None

    @property
    def percentiles(self) -> tuple[float, ...]:
        """All three; none when nothing ran."""
        return tuple(value for value in (self.p50, self.p95, self.p99) if value is not None)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many runs ended how, and how long they took."""

    outcomes: Mapping[OutcomeKind, int]
    total: Latency
    """From the request to the answer."""
    ran: Latency
    """Of the hook alone."""

    @property
    def runs(self) -> int:
        """How many there were."""
        return sum(self.outcomes.values())

    @property
    def error_rate(self) -> float:
        """The share that did not succeed, errors that hooks raise included; 0 without runs."""
        runs = self.runs
        return (runs - self.outcomes.get(OutcomeKind.SUCCEEDED, 0)) / runs if runs else 0.0

    @property
    def failure_rate(self) -> float:
        """The share in which the platform failed; 0 without runs."""
        failed = sum(count for kind, count in self.outcomes.items() if not kind.is_answer)
        runs = self.runs
        return failed / runs if runs else 0.0


@dataclass(frozen=True, slots=True)
class StatsGroup:
    """One hook at one commit."""

    trigger: str
    hook_id: str | None
    hook_name: str | None
    commit: str | None
    tally: Tally


@dataclass(frozen=True, slots=True)
class StatsPoint:
    """All runs that ended in one minute (or hour)."""

    at: datetime
    """Its beginning; minutes in which nothing ran are left out."""
    tally: Tally


@dataclass(frozen=True, slots=True)
class Stats:
    """What a window held."""

    since: datetime
    until: datetime
    width_seconds: int
    """60, or 3,600 for a window of more than six hours."""
    overall: Tally
    groups: tuple[StatsGroup, ...]
    """The most runs first."""
    series: tuple[StatsPoint, ...]
    """In order of time."""


AccessKind = Literal["denied", "secret_opened", "exported", "verified", "payload_read"]


class Access(msgspec.Struct, frozen=True):
    """That somebody was refused, or saw what not everybody may see."""

    kind: AccessKind
    client: str = ""
    """Id; empty if the caller is not known."""
    address: str = ""
    """Where the request came from, IPv6 as its network; empty for the server's own doing."""
    route: str = ""
    """Method and path as documented, e.g. ``GET /v1/hooks/{id}``."""
    reason: str = ""
    """For a denial, which: e.g. ``unauthenticated`` or ``missing scope read:hooks``."""
    subject: str = ""
    """What was seen, e.g. ``hook:<id> secret:<name> key:<key id>``."""


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """Accesses that are alike, of one minute (secrets: of one day)."""

    access: Access
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class AccessQuery:
    """Filters are combined with *and*; None means any."""

    kind: AccessKind | None = None
    client: str | None = None
    address: str | None = None
    subject: str | None = None
    """A word of it: ``hook:<id>``."""
    since: datetime | None = None
    until: datetime | None = None
