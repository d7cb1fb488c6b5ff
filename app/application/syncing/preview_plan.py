"""Say all that applying a commit would do, without doing any of it."""

from __future__ import annotations

from dataclasses import dataclass

import anyio.to_thread

from app.application.invoking.extension_secret import EXTENSION_SECRET
from app.application.invoking.install_packages import packages_of
from app.application.ports import Packages
from app.application.syncing.decide_revision import Decision
from app.application.syncing.stages import SyncStages
from app.application.views import ActiveTable
from app.domain.documents.packages import PackageSet
from app.domain.errors import NotFound
from app.domain.plans.diffs import HookDiff, diff_of
from app.domain.plans.plan import ChangeKind, DesiredHook, Plan
from app.domain.sources.change_requests import full_ref, how_to_get
from app.domain.sources.guards import Hold


@dataclass(frozen=True, slots=True)
class MissingSecret:
    """A secret that an enabled hook requires, and that nobody has set."""

    hook: str
    name: str


@dataclass(frozen=True, slots=True)
class ToInstall:
    """A package that would be installed first."""

    hook: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan with everything a person or a pipeline wants to know before agreeing to it."""

    plan: Plan
    holds: tuple[Hold, ...]
    """What would keep it from being applied by itself."""
    diffs: tuple[HookDiff, ...]
    missing_secrets: tuple[MissingSecret, ...]
    to_install: tuple[ToInstall, ...]
    untested: tuple[str, ...]
    """Hooks whose fixtures could not be run, since their packages are not installed."""


async def preview_plan(stages: SyncStages, ref: str | None) -> Preview:
    """Plan ``ref`` (default: the branch's tip); fixtures are run, no package is installed.

    Raises ``NotFound``, ``Rejected`` with every problem, ``Stalled`` or ``Transient``.
    """
    if ref is None:
        commit = await stages.repository.tip()
    else:
        try:
            commit = await stages.repository.resolve(full_ref(ref))
        except NotFound as error:
            raise NotFound(error.message + how_to_get(ref)) from None
    table = await stages.current_table()
    row = table.sources.get(stages.source.id)
    # Read whole, because fixtures and secrets of all hooks are judged, not only of changed ones.
    decision = await stages.decider.decide(commit, table, None, install=False)
    holds = await stages.guard.holds(decision, row)
    return await anyio.to_thread.run_sync(_told, decision, holds, stages.packages)


def _told(decision: Decision, holds: tuple[Hold, ...], packages: Packages) -> Preview:
    planned, desired = decision.plan, decision.desired.hooks
    active = {hook.id: hook for hook in decision.owned}
    diffs = (diff_of(change, active.get(change.hook_id or "")) for change in planned.changes)
    lacking = [hook for hook in desired if not _is_installed(hook, packages)]
    asking = {
        change.name
        for change in planned.changes
        if change.desired is not None
        and (change.kind is ChangeKind.CREATE or "dependencies" in change.fields)
    }
    return Preview(
        plan=planned,
        holds=holds,
        diffs=tuple(diff for diff in diffs if diff is not None),
        missing_secrets=tuple(
            MissingSecret(hook.name, name)
            for hook in desired
            if hook.enabled
            for name in _missing(hook, decision.table)
        ),
        to_install=tuple(
            ToInstall(hook.name, name, version)
            for hook in lacking
            if hook.name in asking
            for name, version in sorted(hook.dependencies.items())
        ),
        untested=tuple(hook.name for hook in lacking if hook.fixtures),
    )


def _is_installed(hook: DesiredHook, packages: Packages) -> bool:
    wanted: PackageSet = packages_of(hook)
    return not hook.dependencies or packages.folder(wanted) is not None


def _missing(hook: DesiredHook, table: ActiveTable) -> list[str]:
    row = table.find_hook(hook.name)
    known = row.secrets if row is not None and row.trigger == hook.trigger else {}
    required = hook.settings["required_secrets"]
    return [name for name in required if name not in known and name != EXTENSION_SECRET]
