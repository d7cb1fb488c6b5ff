"""The ``Packages`` port: a folder per set, made elsewhere, then renamed into place, whole.

Two processes may share the folder. Both may install one set; the rename decides, and the loser
throws its work away. That needs no lock that a killed process could leave behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from weakref import WeakValueDictionary

from app.domain.documents.packages import OnInstall, PackageSet, dependency_key
from app.domain.errors import HookledgerError, Problem, Rejected, Stalled
from app.domain.outcomes import Language
from app.runtime.dependencies.folders import measure, remove, seal
from app.runtime.dependencies.installers import Installer, Resolved
from app.runtime.dependencies.processes import Limits, Workspace, run, too_large

RESOLVED = "resolved.json"
"""The full tree, in the folder of each set: name, version and integrity of every package."""

GRACE_SECONDS = 7 * 24 * 3600.0
"""How long an unused set is kept: a revert or a second server should not download it again."""

_ABANDONED_SECONDS = 24 * 3600.0
"""Age of a workspace that nobody can be working in any more; longer than any time limit."""
_TEMPORARY = ".tmp-"
_OURS = re.compile(r"\.tmp-[0-9a-f]{16}\Z|(?:python|node)-\S+-[0-9a-f]{64}\Z")
"""Whatever else lies in the folder is not ours to delete."""
_MODE = 0o755
"""Hooks read their packages under user ids of their own."""

_log = logging.getLogger("hookledger.packages")


class PackageCache:
    """One for a process; ``root`` may be shared with others."""

    def __init__(
        self,
        root: Path,
        installers: Mapping[Language, Installer],
        *,
        limits: Limits,
        registries: Mapping[str, str],
        concurrency: int,
        on_install: OnInstall = lambda _number, _total, _packages: None,
    ) -> None:
        self._root = root.absolute()
        self._installers = installers
        self._limits = limits
        self._registries = registries
        self._slots = asyncio.Semaphore(concurrency)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._on_install = on_install

    def folder(self, wanted: PackageSet) -> str | None:
        """Return the name of the set's folder below the root; None until it is installed."""
        name = self._name(wanted)
        return name if (self._root / name).is_dir() else None

    async def ensure(
        self, wanted: Collection[PackageSet]
    ) -> Mapping[PackageSet, Sequence[Problem]]:
        """Install what is not there; return what is wrong with each set that cannot be had.

        Raises ``Transient`` or ``Stalled`` when nothing is wrong with any set, but not all could be
        tried.
        """
        missing = [one for one in wanted if not self._touch(self._root / self._name(one))]
        done = await asyncio.gather(
            *(self._install(one, number, len(missing)) for number, one in enumerate(missing, 1)),
            return_exceptions=True,
        )
        results = dict(zip(missing, done, strict=True))
        errors = [result for result in done if isinstance(result, BaseException)]
        unexpected = [error for error in errors if not isinstance(error, HookledgerError)]
        refused = {one: e.problems for one, e in results.items() if isinstance(e, Rejected)}
        for error in (*unexpected, *(() if refused else errors)):
            raise error
        return refused

    async def sweep(self, in_use: Collection[PackageSet]) -> None:
        """Delete sets that are not ``in_use`` and were not asked for lately, and abandoned work."""
        kept = frozenset(self._name(one) for one in in_use)
        await asyncio.to_thread(self._sweep, kept)

    async def _install(self, wanted: PackageSet, number: int, total: int) -> None:
        turn = self._turns.setdefault(self._name(wanted), asyncio.Lock())
        async with turn, self._slots:
            if self.folder(wanted) is not None:
                return
            self._on_install(number, total, wanted)
            _log.info("packages_installing", extra={"packages": str(wanted)})
            started = time.monotonic()
            try:
                resolved = await self._install_now(wanted)
            except HookledgerError as error:
                reason = "; ".join(map(str, error.problems)) or error.message
                _log.warning("packages_refused", extra={"packages": str(wanted), "reason": reason})
                raise
            seconds = round(time.monotonic() - started, 3)
            extra = {"packages": str(wanted), "resolved": resolved, "seconds": seconds}
            _log.info("packages_installed", extra=extra)

    async def _install_now(self, wanted: PackageSet) -> int:
        workspace = Workspace(self._root / f"{_TEMPORARY}{secrets.token_hex(8)}")
        start = functools.partial(
            run, workspace=workspace, limits=self._limits, registries=self._registries
        )
        try:
            with _disk_errors(self._root):
                if not self._root.is_dir():
                    self._root.mkdir(parents=True, exist_ok=True)
                    self._root.chmod(_MODE)  # whatever the umask
                workspace.make()
            async with asyncio.timeout(self._limits.seconds):
                installer = self._installers[wanted.language]
                resolved = await installer.install(wanted, workspace, start)
            await asyncio.to_thread(self._keep, wanted, workspace.packages, resolved)
        except TimeoutError:
            message = (
                f"installing took longer than {self._limits.seconds:g} seconds; try again, or "
                "raise `install_timeout`"
            )
            problem = Problem(message, key=dependency_key(None))
            raise Rejected("Too slow.", problems=[problem]) from None
        finally:
            await asyncio.to_thread(remove, workspace.root)
        return len(resolved)

    def _keep(self, wanted: PackageSet, made: Path, resolved: Sequence[Resolved]) -> None:
        """Check what was installed, make it read-only and put it in place."""
        files, size = measure(made)
        if files > self._limits.files or size > self._limits.size:
            raise too_large(self._limits)
        with _disk_errors(self._root):
            (made / RESOLVED).write_text(json.dumps(_described(wanted, resolved), indent=1))
            seal(made)
            os.sync()  # or a power failure could leave the name without the files behind it
            place = self._root / self._name(wanted)
            try:
                made.rename(place)
            except OSError:
                if not place.is_dir():
                    raise
                return  # another process was faster
            place.chmod(_MODE & ~0o222)

    def _sweep(self, kept: frozenset[str]) -> None:
        now = time.time()
        found = list(self._root.iterdir()) if self._root.is_dir() else []
        for folder in [one for one in found if _OURS.match(one.name)]:
            temporary = folder.name.startswith(_TEMPORARY)
            grace = _ABANDONED_SECONDS if temporary else GRACE_SECONDS
            with contextlib.suppress(OSError):
                if folder.name in kept or folder.stat().st_mtime > now - grace:
                    continue
                doomed = self._root / f"{_TEMPORARY}{secrets.token_hex(8)}"
                folder.rename(doomed)
                remove(doomed)
                if not temporary:
                    _log.info("packages_deleted", extra={"folder": folder.name})

    def _name(self, wanted: PackageSet) -> str:
        return f"{wanted.language}-{self._installers[wanted.language].tag}-{wanted.digest}"

    def _touch(self, folder: Path) -> bool:
        """Note that the set is wanted; False if it is not there."""
        try:
            os.utime(folder)
        except FileNotFoundError:
            return False
        except OSError:  # it is another user's, so its sweeping is that user's business too
            return folder.is_dir()
        return True


def _described(wanted: PackageSet, resolved: Sequence[Resolved]) -> dict[str, object]:
    return {
        "language": wanted.language,
        "dependencies": dict(wanted.dependencies),
        "resolved": [
            {"name": one.name, "version": one.version, "integrity": one.integrity}
            for one in resolved
        ],
    }


@contextlib.contextmanager
def _disk_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Stalled(f"Packages cannot be kept in {root}: {error.strerror}.") from error
