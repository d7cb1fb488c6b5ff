"""A forge on a real socket, which may fail, and a ledger that is a list."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.application.syncing.commit_statuses import CommitState, CommitStatus, StatusAt
from app.domain.revisions import Position
from app.gitops.forges.outbox import Outbox
from app.gitops.forges.reporter import StatusReporter, StatusTarget

TOKEN = "forge-token-0123456789"


@dataclass
class FakeForge:
    """Answers with ``answer`` and remembers what it was told."""

    address: str = ""
    answer: tuple[int, dict[str, str], bytes] = (201, {}, b"{}")
    told: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    @property
    def states(self) -> list[str]:
        return [body["state"] for _, _, body in self.told]


@pytest.fixture
def forge() -> Iterator[FakeForge]:
    fake = FakeForge()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            fake.told.append((self.path, headers, json.loads(body)))
            status, more, content = fake.answer
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield fake
        server.shutdown()
        thread.join()


@dataclass
class Reports:
    """One source, its ledger, and a server that may be started again."""

    folder: Path
    forge: FakeForge
    events: list[CommitStatus | None] = field(default_factory=list)
    tip: CommitStatus | None = None
    kind: Any = "github"
    address: str = ""
    begin: int = 0
    now: datetime = datetime(2026, 11, 20, tzinfo=UTC)
    opened: list[Outbox] = field(default_factory=list)

    def happens(self, sha: str, state: str = "success", description: str = "In force.") -> None:
        self.events.append(self.status(sha, state, description))

    def status(self, sha: str, state: str, description: str = "") -> CommitStatus:
        return CommitStatus(sha * 40, CommitState(state), description)

    def server(self) -> StatusReporter:
        """Start it, on the outbox that there is."""
        self.opened.append(Outbox(self.folder / "statuses.db", lambda: self.now))
        (self.folder / "token").write_text(f"{TOKEN}\n")
        return StatusReporter(
            StatusTarget(
                source="default",
                forge=self.kind,
                api=self.address or self.forge.address,
                repository="acme/hooks",
                token_file=self.folder / "token",
                link="https://hooks.example.com/v1/sync",
            ),
            self.opened[-1],
            read=self.read,
            look=lambda: self.tip,
            start=lambda: Position(self.begin),
            clock=lambda: self.now,
            jitter=lambda: 1.0,
        )

    def read(self, after: Position, limit: int) -> list[StatusAt]:
        numbered = list(enumerate(self.events, 1))[after : after + limit]
        return [StatusAt(Position(number), status) for number, status in numbered]

    def work(self, server: StatusReporter, rounds: int = 1) -> None:
        async def run() -> None:
            async with httpx.AsyncClient(timeout=5.0) as client:
                for _ in range(rounds):
                    await asyncio.to_thread(server.collect)
                    await server.send(client)

        asyncio.run(run())

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def reports(tmp_path: Path, forge: FakeForge) -> Iterator[Reports]:
    made = Reports(tmp_path, forge)
    yield made
    for outbox in made.opened:
        outbox.close()
