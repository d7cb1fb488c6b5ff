"""The commands on hooks as a server offers them: in line, and done once the table shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread

from app.application.invoking.install_packages import install
from app.application.ledger import Ledger
from app.application.managing import manage_secrets, write_hooks
from app.application.managing.write_hooks import WrittenHook
from app.application.ports import HookTable, Packages, Vault
from app.domain.aggregates import Meta
from app.domain.documents.packages import PackageSet
from app.domain.errors import Transient
from app.domain.hooks.hook import API_OWNER
from app.domain.manifests.drafts import API_LANGUAGE, HookDraft, HookPatch
from app.domain.revisions import Position

T = TypeVar("T")

_TABLE_WAIT = 10.0
"""Seconds the table may take to show a change; it takes milliseconds."""


class HookWriter:
    """The use case; one for the server.

    Every method raises what its command raises, and ``Transient`` when a change is stored but not
    in force yet: to say that a hook is off while it still answers would be untrue.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        hooks: HookTable,
        vault: Vault,
        packages: Packages,
        new_id: Callable[[], str],
    ) -> None:
        self._ledger = ledger
        self._hooks = hooks
        self._vault = vault
        self._new_id = new_id
        self._packages = packages
        # Commands of one process wait here instead of losing races, of which each costs a retry.
        self._line = anyio.CapacityLimiter(1)

    async def create(self, draft: HookDraft, meta: Meta) -> WrittenHook:
        """Make a hook (``write_hooks.create_hook``)."""
        draft = draft.checked()
        await self._make_ready(draft.dependencies)
        written = await self._in_line(
            partial(write_hooks.create_hook, self._ledger, self._new_id(), draft, meta)
        )
        await self._until_visible(written.position)
        return written

    async def update(self, hook_id: str, patch: HookPatch, meta: Meta) -> WrittenHook:
        """Change a hook (``write_hooks.update_hook``)."""
        known = self._hooks.table.hooks.get(hook_id)
        if known is not None and known.owner == API_OWNER:
            await self._make_ready(patch.checked().dependencies or {})
        written = await self._in_line(
            partial(write_hooks.update_hook, self._ledger, hook_id, patch, meta)
        )
        await self._until_visible(written.position)
        return written

    async def delete(self, hook_id: str, meta: Meta) -> Position:
        """Delete a hook (``write_hooks.delete_hook``)."""
        return await self._record(
            partial(write_hooks.delete_hook, self._ledger, self._vault, hook_id, meta)
        )

    async def add_secrets(self, hook_id: str, values: Mapping[str, str], meta: Meta) -> Position:
        """Set secrets that are new (``manage_secrets.add_secrets``)."""
        return await self._record(
            partial(manage_secrets.add_secrets, self._ledger, self._vault, hook_id, values, meta)
        )

    async def change_secrets(self, hook_id: str, values: Mapping[str, str], meta: Meta) -> Position:
        """Set secrets that exist (``manage_secrets.change_secrets``)."""
        return await self._record(
            partial(manage_secrets.change_secrets, self._ledger, self._vault, hook_id, values, meta)
        )

    async def remove_secrets(self, hook_id: str, names: Iterable[str], meta: Meta) -> Position:
        """Remove secrets (``manage_secrets.remove_secrets``)."""
        return await self._record(
            partial(manage_secrets.remove_secrets, self._ledger, self._vault, hook_id, names, meta)
        )

    async def _make_ready(self, dependencies: Mapping[str, str]) -> None:
        """Install packages before a hook that needs them is recorded; raise ``Rejected``."""
        await install(self._packages, PackageSet.of(API_LANGUAGE, dependencies))

    async def _record(self, command: Callable[[], Position]) -> Position:
        position = await self._in_line(command)
        await self._until_visible(position)
        return position

    async def _in_line(self, command: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(command, limiter=self._line)

    async def _until_visible(self, position: Position) -> None:
        if not await self._hooks.wait_for(position, timeout=_TABLE_WAIT):
            raise Transient(
                f"The change is stored at position {position}, but not in force yet: the server "
                f"is at {self._hooks.table.position}."
            )
