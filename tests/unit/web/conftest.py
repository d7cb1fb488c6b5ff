"""Hand-written fakes of the ports, rows to show, and a site whose answers keep to its document."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from msgspec import structs
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from app.application.callers.accept_tokens import TokenDesk
from app.application.callers.answer_once import AnswerOnce, KeptAnswer
from app.application.callers.issue_tokens import TokenIssuer, TokenPolicy
from app.application.callers.manage_clients import hash_credential
from app.application.callers.sign_in import SessionPolicy, SignIn
from app.application.history.hook_versions import versions_of
from app.application.history.issue_checkpoints import HistoryProver
from app.application.history.time_travel import TimeTravel
from app.application.history.transparency_ports import (
    ConsistencyProof,
    InclusionProof,
    IssuedCheckpoint,
    StoredBytes,
)
from app.application.history.verifications import Verification, VerificationDesk
from app.application.history.verify_history import Report, Verdict
from app.application.invoking.invoke import Invoker
from app.application.invoking.run_draft import DraftRunner
from app.application.journal_views import (
    Access,
    AccessQuery,
    AccessRecord,
    ExecutionQuery,
    ExecutionRecord,
    Latency,
    LogQuery,
    Recording,
    Stats,
    StatsGroup,
    StatsPoint,
    StatsQuery,
    StoredExecution,
    StoredLine,
    Tally,
)
from app.application.ledger import Ledger
from app.application.managing.hook_writer import HookWriter
from app.application.observing.following import open_live
from app.application.syncing.commit_files import FileCommitter
from app.application.syncing.preview_plan import Preview
from app.application.syncing.results import SyncResult, SyncStatus
from app.application.syncing.status import Check, Readiness, SourceStatus
from app.application.views import (
    ActiveTable,
    AuditQuery,
    AuditRow,
    ClientRow,
    CountBy,
    Counts,
    Delivery,
    HookRow,
    Page,
    TriggerRow,
)
from app.domain.aggregates import Meta
from app.domain.callers.client import SCOPES
from app.domain.callers.people import Session
from app.domain.callers.tokens import Audiences, VerifiedToken
from app.domain.documents.packages import PackageSet
from app.domain.errors import (
    HookledgerError,
    NotFound,
    Problem,
    Rejected,
    Transient,
    Unauthenticated,
)
from app.domain.history.checkpoints import (
    Checkpoint,
    NoteSignature,
    SignedCheckpoint,
    SignedNote,
    VerifierKey,
)
from app.domain.history.transparency import (
    Subtree,
    complete_hash,
    consistency_proof,
    event_hash,
    inclusion_proof,
    root_hash,
)
from app.domain.hooks.secrets import SealedSecret
from app.domain.outcomes import Call, HookVersion, LogLine, Outcome, OutcomeKind, ScriptToCheck
from app.domain.plans.plan import DesiredState, Plan
from app.domain.revisions import CommitSha, Position, TreeSha
from app.domain.signers import Signer
from app.vault.note_signatures import new_private_key, public_key_of, sign
from app.web.openapi import openapi_document
from app.web.protocol.rate_limits import RateLimits
from app.web.protocol.services import WebServices
from app.web.routes import OPERATIONS, build_app

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = "hlt_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
PRE = "pre-user-registration"


@dataclass
class FakeHookTable:
    table: ActiveTable
    coming: ActiveTable | None = None
    """What the table will be once somebody waits for it."""

    async def wait_for(self, position: Position, timeout: float) -> bool:
        if self.coming is not None and self.coming.position >= position:
            self.table = self.coming
        return self.table.position >= position


@dataclass
class FakeRunner:
    outcome: Outcome = field(default_factory=lambda: Outcome(OutcomeKind.SUCCEEDED, b"{}"))
    calls: list[Call] = field(default_factory=list)
    raises: Exception | None = None

    async def run(self, version: HookVersion, call: Call) -> Outcome:
        self.calls.append(call)
        if self.raises is not None:
            raise self.raises
        return self.outcome

    def distrust(self, version: HookVersion, outcome: Outcome) -> None:
        return

    def expect(self, versions: Sequence[HookVersion]) -> None:
        raise AssertionError("HTTP prepares no workers")

    async def prepare(self, versions: Sequence[HookVersion]) -> None:
        raise AssertionError("HTTP prepares no workers")

    async def check(self, scripts: Sequence[ScriptToCheck]) -> Sequence[Problem]:
        return ()


@dataclass
class FakePackages:
    asked: list[PackageSet] = field(default_factory=list)
    problem: Problem | None = None

    async def ensure(
        self, wanted: Collection[PackageSet]
    ) -> Mapping[PackageSet, Sequence[Problem]]:
        self.asked += wanted
        return {} if self.problem is None else {one: [self.problem] for one in wanted}

    def folder(self, wanted: PackageSet) -> str | None:
        return f"{wanted.language}-{wanted.digest}" if wanted in self.asked else None

    async def sweep(self, in_use: Collection[PackageSet]) -> None:
        raise AssertionError("HTTP deletes nothing")


class FakeVault:
    def seal(self, hook_id: str, name: str, value: str) -> SealedSecret:
        raise AssertionError("HTTP seals nothing")

    def open(self, hook_id: str, secret: SealedSecret) -> str:
        return "opened"

    def destroy(self, key_ids: Iterable[str]) -> None:
        raise AssertionError("HTTP destroys nothing")

    def protect(self, purpose: str, data: bytes) -> bytes:
        return data

    def reveal(self, purpose: str, protected: bytes) -> bytes:
        return protected


@dataclass
class FakeAuditLog:
    """Knows the filters ``hook``, ``type``, ``commit`` and ``from_position``; others it notes."""

    rows: list[AuditRow] = field(default_factory=list)
    """Newest first."""
    asked: list[AuditQuery] = field(default_factory=list)
    coming: list[AuditRow] = field(default_factory=list)
    """Written after the first question."""
    fails_at: str | None = None
    """A cursor that breaks the log."""

    def query(
        self, query: AuditQuery, *, cursor: str | None, limit: int, ascending: bool = False
    ) -> Page[AuditRow]:
        if cursor is not None and not cursor.isdigit():
            raise Rejected("That is no cursor of ours.", problems=[Problem("no", key="cursor")])
        if self.fails_at is not None and cursor == self.fails_at:
            raise OSError("the disk is gone: secret path")
        self.asked.append(query)
        below = int(cursor) if cursor else 10**12
        found = [row for row in self.rows if row.position < below and _is(row, query)]
        if ascending:
            found.reverse()
        self.rows, self.coming = [*self.coming, *self.rows], []
        page = found[:limit]
        more = len(found) > limit
        return Page(tuple(page), str(page[-1].position) if more else None, cursor)

    def counts(self, query: AuditQuery, *, by: CountBy) -> Counts:
        self.asked.append(query)
        counted = Counter(row.type if by is CountBy.TYPE else f"{row.at:%F}" for row in self.rows)
        return Counts(dict(sorted(counted.items())), Position(0), self.position())

    def commits(self, prefix: str, limit: int) -> Sequence[str]:
        found = {row.commit for row in self.rows if (row.commit or "").startswith(prefix)}
        return sorted(commit for commit in found if commit)[:limit]

    def position_at(self, at: datetime) -> Position:
        return max((row.position for row in self.rows if row.at <= at), default=Position(0))

    def position(self) -> Position:
        newest = max((row.position for row in self.rows), default=Position(0))
        self.rows, self.coming = [*self.coming, *self.rows], []
        return newest


def _is(row: AuditRow, query: AuditQuery) -> bool:
    return (
        query.hook in (None, row.hook, row.hook_name)
        and row.type.startswith(query.type or "")
        and (row.commit or "").startswith(query.commit or "")
        and row.position >= (query.from_position or 0)
    )


@dataclass
class FakeHistory:
    tables: dict[int, ActiveTable] = field(default_factory=dict)
    """By position; the highest is the newest."""

    def newest(self) -> Position:
        return Position(max(self.tables, default=0))

    def as_of(self, position: Position) -> ActiveTable:
        return self.tables[position]


@dataclass
class FakeJournal:
    records: list[ExecutionRecord] = field(default_factory=list)
    stored: list[StoredLine] = field(default_factory=list)
    asked: list[tuple[ExecutionQuery | LogQuery, str | None, int]] = field(default_factory=list)
    recorded: list[Recording] = field(default_factory=list)
    asked_stats: list[StatsQuery] = field(default_factory=list)

    def record(self, execution: ExecutionRecord) -> None:
        self.records.insert(0, execution)

    def log(self, line: LogLine) -> None:
        raise AssertionError("HTTP writes no lines")

    def executions(
        self, query: ExecutionQuery, *, cursor: str | None, limit: int
    ) -> Page[ExecutionRecord]:
        self.asked.append((query, cursor, limit))
        more = len(self.records) > limit
        return Page(tuple(self.records[:limit]), "more" if more else None)

    def lines(self, query: LogQuery, *, cursor: str | None, limit: int) -> Page[StoredLine]:
        self.asked.append((query, cursor, limit))
        return Page(tuple(self.stored[:limit]), None)

    def lines_after(self, sequence: int, limit: int) -> Sequence[StoredLine]:
        later = sorted((one for one in self.stored if one.sequence > sequence), key=_number)
        return later[:limit]

    def executions_after(self, sequence: int, limit: int) -> Sequence[StoredExecution]:
        oldest_first = enumerate(reversed(self.records), start=1)
        return [StoredExecution(n, one) for n, one in oldest_first if n > sequence][:limit]

    def newest(self) -> tuple[int, int]:
        return len(self.records), max(map(_number, self.stored), default=0)

    def recordings(self, invocation_id: str) -> Sequence[Recording]:
        return [one for one in self.recorded if one.invocation_id == invocation_id]

    def is_recorded(self, invocation_id: str) -> bool:
        return bool(self.recordings(invocation_id))

    def stats(self, query: StatsQuery) -> Stats:
        self.asked_stats.append(query)
        nothing = Tally({}, Latency(None, None, None), Latency(None, None, None))
        one = Tally({OutcomeKind.ERRORED: 1}, Latency(2, 3, 4), Latency(1, 2, 3))
        group = StatsGroup(PRE, "01J", "a-hook", "c" * 40, one)
        point = StatsPoint(query.since, nothing)
        return Stats(query.since, query.until, 60, one, (group,), (point,))


def _number(stored: StoredLine) -> int:
    return stored.sequence


@dataclass
class FakeAccessLog:
    noted: list[Access] = field(default_factory=list)
    asked: list[AccessQuery] = field(default_factory=list)

    def note(self, access: Access) -> None:
        self.noted.append(access)

    def accesses(self, query: AccessQuery, *, cursor: str | None, limit: int) -> Page[AccessRecord]:
        self.asked.append(query)
        return Page(tuple(AccessRecord(one, 1, NOW, NOW) for one in self.noted[:limit]), None)


@dataclass
class FakeQueue:
    deliveries: list[Delivery] = field(default_factory=list)

    async def enqueue(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)


@dataclass
class FakeSessions:
    sessions: dict[str, Session] = field(default_factory=dict)
    tickets: dict[tuple[str, str], tuple[bytes, datetime]] = field(default_factory=dict)

    def begin(self, token_hash: str, session: Session) -> None:
        self.sessions[token_hash] = session

    def find(self, token_hash: str) -> Session | None:
        return self.sessions.get(token_hash)

    def touch(self, session_id: str, seen_at: datetime) -> None:
        for key, session in self.sessions.items():
            if session.id == session_id:
                self.sessions[key] = replace(session, seen_at=seen_at)

    def end(self, session_id: str) -> bool:
        found = [key for key, one in self.sessions.items() if one.id == session_id]
        for key in found:
            del self.sessions[key]
        return bool(found)

    def list(self) -> Sequence[Session]:
        return list(self.sessions.values())

    def sweep(self, now: datetime, idle_since: datetime) -> None:
        for key, one in [*self.sessions.items()]:
            if one.ends_at <= now or one.seen_at <= idle_since:
                del self.sessions[key]

    def offer(self, kind: str, ticket_hash: str, content: bytes, ends_at: datetime) -> None:
        self.tickets[kind, ticket_hash] = content, ends_at

    def take(self, kind: str, ticket_hash: str, now: datetime) -> bytes | None:
        content, ends_at = self.tickets.pop((kind, ticket_hash), (None, now))
        return content if ends_at > now else None


@dataclass
class FakeAnswers:
    kept: dict[tuple[str, str], KeptAnswer] = field(default_factory=dict)
    fails: bool = False

    def find(self, caller: str, key: str) -> KeptAnswer | None:
        return self.kept.get((caller, key))

    def keep(self, caller: str, key: str, kept: KeptAnswer) -> None:
        if self.fails:
            raise Transient("The file of answers cannot be used now: the disk is full.")
        self.kept[caller, key] = kept


@dataclass
class FakeGitOps:
    known: list[SourceStatus] = field(default_factory=list)
    planned: Plan = field(default_factory=lambda: Plan(CommitSha("c" * 40), TreeSha("d" * 40), ()))
    previewed: Preview | None = None
    refusal: Exception | None = None
    asked: list[str | None] = field(default_factory=list)
    runs: int = 0
    prepared: list[dict[str, Any]] = field(default_factory=list)
    published: list[str] = field(default_factory=list)

    acts: list[tuple[Any, ...]] = field(default_factory=list)
    """What was done, by whom: the name of the act, its argument, and the meta."""

    id: str = "default"

    def statuses(self) -> Sequence[SourceStatus]:
        return self.known

    def one(self, source: str | None) -> FakeGitOps:
        if source not in (None, self.id):
            raise NotFound(f"No source `{source}` is followed.")
        return self

    def status(self) -> SourceStatus:
        return self.known[0]

    async def sync(self) -> SyncResult:
        self.runs += 1
        if self.refusal is not None:
            raise self.refusal
        return SyncResult(SyncStatus.APPLIED, CommitSha("c" * 40), Position(77), self.planned)

    def committer(self) -> FileCommitter:
        return FileCommitter(
            path="hooks_repo", repository=self, writer=self, plan=self.plan, sync=self.sync
        )

    def tip(self) -> CommitSha:
        return CommitSha("a" * 40)

    def resolve(self, ref: str) -> CommitSha:
        return CommitSha(ref)

    def is_ancestor(self, old: CommitSha, new: CommitSha) -> bool:
        raise NotImplementedError

    def verify(self, commit: CommitSha, since: CommitSha | None) -> Signer | None:
        raise NotImplementedError

    def desired(self, commit: CommitSha, since: TreeSha | None) -> DesiredState:
        raise NotImplementedError

    def read(self, commit: CommitSha, folder: str) -> Mapping[str, bytes]:
        self.asked.append(f"{commit}:{folder}")
        return {f"{folder}/hook.py": b"def hook(): ...\n", f"{folder}/fixtures/x.json": b"\xff"}

    def prepare(self, base: CommitSha, files: Mapping[str, bytes | None], **facts: str) -> Any:
        self.prepared.append({"base": base, "files": dict(files), **facts})
        return SimpleNamespace(sha=CommitSha("c" * 40))

    def publish(self, commit: Any) -> None:
        self.published.append(commit.sha)

    async def plan(self, ref: str) -> Plan:
        return (await self.preview(ref)).plan

    async def suspend(self, until: datetime | None, meta: Meta) -> Position:
        self.acts.append(("suspend", until, meta))
        return Position(7)

    async def resume(self, meta: Meta) -> Position:
        self.acts.append(("resume", None, meta))
        return Position(7)

    async def approve(self, digest: str, meta: Meta) -> SyncResult:
        self.acts.append(("approve", digest, meta))
        return await self.sync()

    async def roll_back(self, commit: str, meta: Meta) -> SyncResult:
        self.acts.append(("rollback", commit, meta))
        return await self.sync()

    async def preview(self, ref: str | None) -> Preview:
        self.asked.append(ref)
        if ref == "nowhere":
            raise NotFound("There is no `nowhere`.")
        if self.refusal is not None:
            raise self.refusal
        return self.previewed or Preview(self.planned, (), (), (), (), ())


@dataclass
class FakeSigner:
    """Signs by remembering."""

    signed: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    verified: list[str] = field(default_factory=list)

    def sign(self, claims: Mapping[str, Any]) -> str:
        token = f"signed.{len(self.signed)}.token"
        self.signed[token] = claims
        return token

    def public_keys(self) -> Mapping[str, Any]:
        members = ("kty", "use", "alg", "kid", "n", "e")
        return {"keys": [dict.fromkeys(members, "x")]}

    def verify(self, token: str) -> VerifiedToken:
        self.verified.append(token)
        if token not in self.signed:
            raise Unauthenticated("The access token is not valid: its form is not valid.")
        claims = self.signed[token]
        scopes = frozenset(claims["scope"].split())
        return VerifiedToken(claims.get("by", ""), claims["azp"], scopes, claims["exp"])


class FakeProvenHistory:
    """Events in memory: the tree over them, the book that signs for it, and their bytes."""

    origin = "site/a-tenant"

    def __init__(self) -> None:
        self.events = [
            StoredBytes(Position(n), f"hook:{n}", 1, "hook.created", b'{"n":%d}' % n)
            for n in range(1, 21)
        ]
        self.private = new_private_key()
        self.issued: list[IssuedCheckpoint] = []
        report = Report(Verdict.INTACT, 20, 20, 3, None, (), None)
        self.finding: Verification | HookledgerError = Verification(report, (), ())

    def leaves(self, size: int) -> list[bytes]:
        if size > len(self.events):
            raise NotFound(f"The log holds {len(self.events)} events.")
        return [
            event_hash(e.position, e.stream, e.version, e.topic, e.state)
            for e in self.events[:size]
        ]

    def size(self) -> int:
        return len(self.events)

    def root(self, size: int) -> bytes:
        return root_hash(size, self._subtree(size))

    def newest_position(self, size: int) -> Position:
        return Position(size)

    def inclusion(self, positions: Sequence[Position], size: int) -> list[InclusionProof]:
        leaves, subtree = self.leaves(size), self._subtree(size)
        if any(not 1 <= position <= size for position in positions):
            raise NotFound("There is no such event.")
        return [
            InclusionProof(
                position,
                position - 1,
                size,
                leaves[position - 1],
                tuple(inclusion_proof(position - 1, size, subtree)),
                self.root(size),
            )
            for position in positions
        ]

    def consistency(self, old: int, new: int) -> ConsistencyProof:
        proof = tuple(consistency_proof(old, new, self._subtree(new)))
        return ConsistencyProof(old, new, self.root(old), self.root(new), proof)

    def at(self, positions: Sequence[Position]) -> list[StoredBytes]:
        return [self.events[position - 1] for position in positions]

    def newest(self) -> IssuedCheckpoint | None:
        return self.issued[-1] if self.issued else None

    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        return (VerifierKey(self.origin, public_key_of(self.private)),)

    def issue(self, size: int, root: bytes) -> IssuedCheckpoint:
        (key,), checkpoint = self.verifier_keys(), Checkpoint(self.origin, size, root)
        line = NoteSignature(key.name, key.key_id, sign(self.private, checkpoint.text.encode()))
        note = str(SignedNote(checkpoint.text, (line,)))
        self.issued.append(IssuedCheckpoint(SignedCheckpoint(checkpoint, note, key), NOW))
        return self.issued[-1]

    def verify(self, progress: Callable[[int], None]) -> Verification:
        """Find every event as it was signed, unless told to find something else."""
        progress(self.size() // 2)
        if isinstance(self.finding, HookledgerError):
            raise self.finding
        return self.finding

    def _subtree(self, size: int) -> Subtree:
        leaves = self.leaves(size)
        return lambda level, index: complete_hash(leaves[index << level : (index + 1) << level])


@dataclass
class Site:
    """The application over its fakes; whatever it answers is checked against its document."""

    hooks: FakeHookTable
    runner: FakeRunner
    packages: FakePackages
    audit: FakeAuditLog
    journal: FakeJournal
    access: FakeAccessLog
    queue: FakeQueue
    gitops: FakeGitOps
    signer: FakeSigner
    services: WebServices
    readiness: list[Check]
    history: FakeHistory = field(default_factory=FakeHistory)
    proved: FakeProvenHistory = field(default_factory=FakeProvenHistory)
    answers: FakeAnswers = field(default_factory=FakeAnswers)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, content: Any = b"", **options: Any) -> httpx.Response:
        return self.ask("POST", path, content=content, **options)

    def invoke(self, content: Any = None, trigger: str = PRE, **options: Any) -> httpx.Response:
        from app.domain.triggers.catalogue import CONTRACTS

        body = orjson.dumps(CONTRACTS[trigger].example) if content is None else content
        return self.post(f"/v1/triggers/{trigger}/invoke", body, **options)

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = TOKEN,
        headers: Sequence[tuple[bytes, bytes]] = (),
        **options: Any,
    ) -> httpx.Response:
        given = list(headers)
        if token is not None:
            given.append((b"authorization", b"Bearer " + token.encode()))

        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(build_app(self.services))
            async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
                return await client.request(method, path, headers=given, **options)

        answer = asyncio.run(exchange())
        keeps_to_the_document(method, path, answer)
        return answer

    def put(self, *rows: HookRow) -> None:
        """Have these hooks exist; the enabled ones answer their triggers."""
        table = self.hooks.table
        position = max((table.position, *(row.position for row in rows)))
        self.hooks.table = replace(
            table,
            position=position,
            hooks={**table.hooks, **{row.id: row for row in rows}},
            names={**table.names, **{row.name: row.id for row in rows}},
            triggers={
                **table.triggers,
                **{
                    row.trigger: TriggerRow(row.trigger, (row.id,), row.position)
                    for row in rows
                    if row.enabled
                },
            },
        )

    def let_in(self, token: str, *scopes: str) -> None:
        """Make a client that holds just these scopes; its secret is ``secret-<id>``."""
        table, client_id = self.hooks.table, f"client-{len(self.hooks.table.clients)}"
        secret = hash_credential(f"secret-{client_id}")
        client = ClientRow(
            client_id,
            "a client",
            frozenset(scopes),
            secret,
            hash_credential(token),
            False,
            NOW,
            {"plan": "gold"},
        )
        self.hooks.table = replace(
            table,
            clients={**table.clients, client_id: client},
            tokens={**table.tokens, client.token_hash: client_id},
        )


@pytest.fixture
def site() -> Site:
    return _site()


@pytest.fixture
def make_site() -> Callable[[], Site]:
    return _site


def _site() -> Site:
    hooks, runner, audit, history = (
        FakeHookTable(ActiveTable(position=Position(7))),
        FakeRunner(),
        FakeAuditLog(),
        FakeHistory(),
    )
    journal, queue, gitops = FakeJournal(), FakeQueue(), FakeGitOps()
    ledger, answers = Ledger({}), FakeAnswers()
    checks = [Check("projection:hook-table", ok=True, detail="at position 7 of 7, 0 behind")]
    ids = iter(f"INV{number}" for number in range(1000))
    packages = FakePackages()
    invoker = Invoker(
        hooks=hooks,
        runner=runner,
        packages=packages,
        vault=FakeVault(),
        journal=journal,
        queue=queue,
        clock=lambda: NOW,
        new_id=lambda: next(ids),
    )
    access = FakeAccessLog()

    def trigger_of(hook_id: str) -> str | None:
        hook = hooks.table.hooks.get(hook_id)
        return hook.trigger if hook is not None else None

    live = open_live(trigger_of, most=3, most_of_a_client=2)
    live.end()  # a stream that ends can be looked at whole
    signer, proved = FakeSigner(), FakeProvenHistory()
    policy = TokenPolicy(
        issuer="http://site/",
        audiences=Audiences.of(["http://site"], ["https://tenant.example.com/api/v2/"]),
        lifetime=3600,
        tenant="a-tenant",
        ask_hook=False,
        on_error="closed",
    )
    services = WebServices(
        tokens=TokenIssuer(
            policy,
            hooks=hooks,
            signer=signer,
            invoker=invoker,
            clock=lambda: NOW,
            new_id=lambda: next(ids),
        ),
        desk=TokenDesk(signer, lambda: NOW),
        limits=RateLimits(),
        invoker=invoker,
        drafts=DraftRunner(
            hooks=hooks,
            runner=runner,
            packages=packages,
            vault=FakeVault(),
            new_id=lambda: next(ids),
        ),
        hooks=hooks,
        writer=HookWriter(
            ledger=ledger,
            hooks=hooks,
            vault=FakeVault(),
            packages=packages,
            new_id=lambda: next(ids),
        ),
        once=AnswerOnce(answers),
        audit=audit,
        past=TimeTravel(history, audit, lambda: NOW, lambda _position, _timeout: True),
        prover=HistoryProver(proved, proved, proved),
        verifications=VerificationDesk(proved.verify, proved.size, lambda: NOW),
        journal=journal,
        live=live,
        access=access,
        sync=gitops,
        committers={"default": gitops.committer()},
        readiness=lambda: Readiness(tuple(checks)),
        metrics=lambda: b"# TYPE hookledger_hooks gauge\nhookledger_hooks 0.0\n",
        version="1.2.3",
        hook_versions=partial(versions_of, ledger),
        sign_in=SignIn(
            FakeSessions(),
            SessionPolicy(idle=timedelta(hours=2), lifetime=timedelta(hours=12)),
            clock=lambda: NOW,
            new_id=lambda: next(ids),
        ),
        address="http://site",
        clock=lambda: NOW,
    )
    made = Site(
        hooks,
        runner,
        packages,
        audit,
        journal,
        access,
        queue,
        gitops,
        signer,
        services,
        checks,
        history,
        proved,
        answers,
    )
    made.let_in(TOKEN, *SCOPES)
    return made


@pytest.fixture
def make_hook() -> Callable[..., HookRow]:
    def make(name: str = "a-hook", **members: Any) -> HookRow:
        row = HookRow(
            id=f"01J{name.upper().replace('-', ''):0>23}",
            name=name,
            trigger=PRE,
            owner="source:default",
            path=f"hooks/{PRE}/{name}",
            language="python",
            script="def hook(user, context):\n    return {}\n",
            digest="d" * 64,
            dependencies={},
            settings={
                "enabled": True,
                "order": 0,
                "timeout_ms": 5000,
                "network": [],
                "required_secrets": [],
                "prune": "auto",
            },
            secrets={},
            enabled=True,
            break_glass=False,
            commit="c" * 40,
            position=Position(9),
            version_key="v1",
            created_at=NOW,
            updated_at=NOW,
        )
        return structs.replace(row, **members)

    return make


@pytest.fixture
def make_event() -> Callable[..., AuditRow]:
    def make(position: int, **members: Any) -> AuditRow:
        row = AuditRow(
            position=Position(position),
            at=NOW + timedelta(seconds=position),
            type="hook.created",
            actor="source:default",
            origin="git",
            subject="hook:01JAHOOK",
            hook="01JAHOOK",
            hook_name="a-hook",
            trigger=PRE,
            source="default",
            commit="c" * 40,
            correlation_id=None,
            reason="Add a hook",
            data={"script": {"sha256": "e" * 64, "bytes": 40, "lines": 2}},
        )
        return structs.replace(row, **members)

    return make


_DOCUMENT = openapi_document(OPERATIONS, "1.2.3")


def _strict(schema: Any) -> Any:
    """Let objects have no members but those listed, so that the document cannot fall behind."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _strict(value) for key, value in schema.items()}
    if "properties" in schema and "required" in schema:
        closed.setdefault("unevaluatedProperties", False)
    return closed


_REGISTRY: Any = Registry().with_resource(
    "urn:document", DRAFT202012.create_resource(_strict(_DOCUMENT))
)


def keeps_to_the_document(method: str, path: str, answer: httpx.Response) -> None:
    """Check status, headers, media type and body against what the OpenAPI document promises."""
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert not [name for name in answer.headers if name.startswith("access-control")]
    responses = _responses(method, path)
    if responses is None:
        assert answer.status_code in (204, 404, 405, 429)
        return
    promised = responses[str(answer.status_code)]
    if "$ref" in promised:
        promised = _DOCUMENT["components"]["responses"][promised["$ref"].rpartition("/")[2]]
    if answer.status_code == 204:
        assert answer.content == b""
        return
    media = answer.headers["content-type"]
    content = promised["content"].get(media, promised["content"].get(media.partition(";")[0]))
    assert content is not None, media
    if "json" in media and method != "HEAD":
        documents = answer.content.splitlines() if "ndjson" in media else [answer.content]
        for document in documents:
            validate(orjson.loads(document), content["schema"])


def validate(document: Any, schema: Mapping[str, Any]) -> None:
    absolute = {"$ref": "urn:document" + schema["$ref"]}
    Draft202012Validator(absolute, registry=_REGISTRY).validate(document)


def _responses(method: str, path: str) -> Any:
    plain = path.partition("?")[0]
    for template, operations in _DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), plain):
            operation = operations.get({"HEAD": "get"}.get(method, method.lower()))
            return operation["responses"] if operation else None
    return None


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def make_line() -> Callable[..., StoredLine]:
    def make(number: int, text: str = "a line") -> StoredLine:
        return StoredLine(number, LogLine("INV1", "01J", NOW, "info", "stdout", text))

    return make
