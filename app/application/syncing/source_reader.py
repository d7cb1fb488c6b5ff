"""A source's repository, asked from threads of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from app.application.syncing.source_ports import SourceRepository
from app.domain.plans.plan import DesiredState
from app.domain.revisions import CommitSha, TreeSha
from app.domain.signers import Signer

T = TypeVar("T")

_THREADS = 4
"""Of each source: questions to a repository that hangs take no threads from any other."""


class SourceReader:
    """The questions of ``SourceRepository``; the answers and errors are its own."""

    def __init__(self, repository: SourceRepository) -> None:
        self._repository = repository
        self._threads = anyio.CapacityLimiter(_THREADS)

    async def tip(self) -> CommitSha:
        """Resolve the followed branch."""
        return await self._ask(self._repository.tip)

    async def resolve(self, ref: str) -> CommitSha:
        """Resolve a branch, tag or commit id."""
        return await self._ask(lambda: self._repository.resolve(ref))

    async def verify(self, commit: CommitSha, since: CommitSha | None) -> Signer | None:
        """Return who signed a commit."""
        return await self._ask(lambda: self._repository.verify(commit, since))

    async def desired(self, commit: CommitSha, since: TreeSha | None) -> DesiredState:
        """Read what a commit says."""
        return await self._ask(lambda: self._repository.desired(commit, since))

    async def is_ancestor(self, old: CommitSha, new: CommitSha) -> bool:
        """Tell whether one commit came after another."""
        return await self._ask(lambda: self._repository.is_ancestor(old, new))

    async def _ask(self, question: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(question, limiter=self._threads)
