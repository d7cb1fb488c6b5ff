"""A followed source: what was asked of it, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from app.application.syncing.commit_files import FileCommitter
from app.application.syncing.preview_plan import Preview
from app.application.syncing.results import SyncResult, SyncStatus
from app.application.syncing.status import SourceStatus
from app.domain.aggregates import Meta
from app.domain.errors import (
    NotFound,
)
from app.domain.plans.plan import DesiredState, Plan
from app.domain.revisions import CommitSha, Position, TreeSha
from app.domain.signers import Signer


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
