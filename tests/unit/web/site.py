"""A site whose ports are fakes, and whose answers keep to its document."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import orjson

from app.application.callers.accept_tokens import TokenDesk
from app.application.callers.answer_once import AnswerOnce
from app.application.callers.issue_tokens import TokenIssuer, TokenPolicy
from app.application.callers.manage_clients import hash_credential
from app.application.callers.sign_in import SessionPolicy, SignIn
from app.application.history.hook_versions import versions_of
from app.application.history.issue_checkpoints import HistoryProver
from app.application.history.time_travel import TimeTravel
from app.application.history.verifications import VerificationDesk
from app.application.invoking.invoke import Invoker
from app.application.invoking.run_draft import DraftRunner
from app.application.ledger import Ledger
from app.application.managing.hook_writer import HookWriter
from app.application.observing.following import open_live
from app.application.syncing.status import Check, Readiness
from app.application.views import (
    ActiveTable,
    ClientRow,
    HookRow,
    TriggerRow,
)
from app.domain.callers.client import SCOPES
from app.domain.callers.tokens import Audiences
from app.domain.revisions import Position
from app.domain.triggers.catalogue import CONTRACTS
from app.web.protocol.rate_limits import RateLimits
from app.web.protocol.services import WebServices
from app.web.routes import build_app
from tests.unit.web.document import keeps_to_the_document
from tests.unit.web.doubles import NOW, PRE, TOKEN
from tests.unit.web.doubles.audit import FakeAuditLog, FakeHistory
from tests.unit.web.doubles.gitops import FakeGitOps
from tests.unit.web.doubles.hooks import FakeHookTable, FakePackages, FakeRunner, FakeVault
from tests.unit.web.doubles.journal import FakeAccessLog, FakeJournal, FakeQueue
from tests.unit.web.doubles.people import FakeAnswers, FakeSessions
from tests.unit.web.doubles.proofs import FakeProvenHistory, FakeSigner


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


def new_site() -> Site:
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
