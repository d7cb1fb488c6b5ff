"""Runs an installer in a workspace: clean environment, bounded in time, memory and disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.domain.documents.packages import dependency_key
from app.domain.errors import Problem, Rejected, Stalled
from app.runtime.dependencies.folders import measure

_LOOK_SECONDS = 0.5
_MEMORY_BYTES = 2 << 30
_OVERHEAD = 3
"""Downloads, the cache and what is unpacked may together be so many times the packages' limit."""
_MAX_OUTPUT = 8 << 20
_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one installation may take."""

    seconds: float
    size: int
    """Bytes of all packages of a set, unpacked."""
    files: int


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder of its own for one installation; ``packages`` in it is what is kept."""

    root: Path

    @property
    def packages(self) -> Path:
        return self.root / "packages"

    @property
    def home(self) -> Path:
        return self.root / "home"

    def make(self) -> None:
        """Create the folders."""
        for folder in (self.root, self.packages, self.home):
            folder.mkdir()


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended."""

    status: int
    """Exit code, or minus a signal."""
    output: str
    errors: str


Run = Callable[[Sequence[str]], Awaitable[Finished]]
"""Runs a program in the workspace of an installation."""


async def run(
    command: Sequence[str], workspace: Workspace, limits: Limits, registries: Mapping[str, str]
) -> Finished:
    """Run ``command`` to its end; if the caller is cancelled, nothing of it is left.

    ``registries`` are the variables that say where packages come from. Of the server's environment
    nothing else is passed on: it holds secrets. Raises ``Rejected`` when the disk quota is used up,
    ``Stalled`` when the program cannot be started.
    """
    output, errors = workspace.root / "output", workspace.root / "errors"
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=_environment(workspace, registries),
                cwd=workspace.packages,
                start_new_session=True,
            )
        except OSError as error:
            raise Stalled(f"{command[0]} cannot be started: {error.strerror}.") from error
    try:
        _limit(process.pid, limits)
        await _watch(process, workspace, limits)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Finished(process.returncode or 0, _read(output), _read(errors))


def too_large(limits: Limits) -> Rejected:
    """Say that a set takes more than it may."""
    message = (
        f"the packages are larger than {limits.size >> 20} MB or have more than {limits.files} "
        "files; use fewer or smaller ones, or raise `install_megabytes`"
    )
    return Rejected("Too large.", problems=[Problem(message, key=dependency_key(None))])


async def _watch(process: asyncio.subprocess.Process, workspace: Workspace, limits: Limits) -> None:
    while True:
        try:
            await asyncio.wait_for(process.wait(), _LOOK_SECONDS)
        except TimeoutError:
            files, size = await asyncio.to_thread(measure, workspace.root)
            if size > limits.size * _OVERHEAD or files > limits.files * _OVERHEAD:
                raise too_large(limits) from None
        else:
            return


def _limit(pid: int, limits: Limits) -> None:
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limits.size, limits.size))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _environment(workspace: Workspace, registries: Mapping[str, str]) -> dict[str, str]:
    home = str(workspace.home)
    return dict(registries) | {
        "PATH": _PATH,
        "HOME": home,
        "TMPDIR": home,
        "XDG_CACHE_HOME": home,
        "LC_ALL": "C.UTF-8",
    }


def _read(file: Path) -> str:
    """Read the end of what a program said, which is where it says why it gave up."""
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - _MAX_OUTPUT))
        return opened.read(_MAX_OUTPUT).decode("utf-8", "replace")
