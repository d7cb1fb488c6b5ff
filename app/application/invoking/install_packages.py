"""Have packages of hooks installed: before a revision is applied, and again if they are lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from app.application.ports import Packages
from app.application.views import HookRow
from app.domain.documents.packages import PackageSet
from app.domain.documents.places import manifest_place
from app.domain.errors import Problem, Rejected
from app.domain.plans.plan import DesiredHook


def packages_of(hook: HookRow | DesiredHook) -> PackageSet:
    """Return the packages a hook depends on."""
    return PackageSet.of(hook.language, hook.dependencies)


async def install_for(packages: Packages, hooks: Iterable[DesiredHook]) -> list[Problem]:
    """Install the packages of ``hooks``; return every problem, each at the manifest that has it.

    Raises ``Transient`` or ``Stalled`` when it cannot be told whether the packages can be had.
    """
    wanted = [(manifest_place(hook.path), packages_of(hook)) for hook in hooks if hook.dependencies]
    if not wanted:
        return []
    found = await packages.ensure(frozenset(asked for _, asked in wanted))
    return [
        replace(problem, file=manifest)
        for manifest, asked in wanted
        for problem in found.get(asked, ())
    ]


async def install(packages: Packages, wanted: PackageSet) -> str | None:
    """Install one set, if it is not there; return the name of its folder, None for an empty set.

    Raises ``Rejected`` with every package that cannot be had, ``Transient``, ``Stalled``.
    """
    if not wanted.dependencies:
        return None
    problems = (await packages.ensure(frozenset((wanted,)))).get(wanted, ())
    if problems:
        raise Rejected("The packages cannot be installed.", problems=problems)
    return packages.folder(wanted)


def missing(packages: Packages, hooks: Iterable[HookRow]) -> frozenset[PackageSet]:
    """Return the sets that ``hooks`` need and that are not installed; touches no network."""
    return frozenset(wanted for wanted in _sets(hooks) if packages.folder(wanted) is None)


async def sweep(packages: Packages, hooks: Iterable[HookRow]) -> None:
    """Delete sets that none of ``hooks`` needs and that have not been asked for in a while."""
    await packages.sweep(frozenset(_sets(hooks)))


def _sets(hooks: Iterable[HookRow]) -> Iterator[PackageSet]:
    return (packages_of(hook) for hook in hooks if hook.dependencies)
