"""What the cache asks of pip and npm, and how both tell what went wrong."""

from __future__ import annotations

import functools
import sysconfig
from dataclasses import dataclass
from typing import Protocol

from app.domain.documents.packages import PackageSet, dependency_key
from app.domain.documents.toml_documents import printable
from app.domain.errors import Problem, Rejected
from app.runtime.dependencies.processes import Run, Workspace

_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Resolved:
    """One package of the full tree, as it was fetched."""

    name: str
    version: str
    integrity: str | None
    """Hash the registry vouches for, e.g. ``sha256-…`` or ``sha512-…``; None if it gave none."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an installer gave up."""

    package: str | None
    """The one of the wanted packages to which it is due; None if it is not due to one alone."""
    message: str


class Installer(Protocol):
    """Fills ``workspace.packages`` with a set and all that it depends on."""

    @property
    def tag(self) -> str:
        """What the result depends on beside the set, e.g. the interpreter's ABI."""
        ...

    async def install(self, wanted: PackageSet, workspace: Workspace, run: Run) -> list[Resolved]:
        """Install; raise ``Rejected`` with the problem of every package that cannot be had.

        Raises ``Transient`` when the registry cannot be reached, ``Stalled`` when this machine
        lacks something.
        """
        ...


def refused(failures: list[Failure]) -> Rejected:
    """Make each failure a problem of the manifest."""
    return Rejected(
        "Packages cannot be installed.",
        problems=[
            Problem(printable(failure.message, _SHOWN), key=dependency_key(failure.package))
            for failure in failures
        ],
    )


@functools.cache
def interpreter_tag() -> str:
    """Name this interpreter, machine and C library: ``cpython-311-x86_64-linux-gnu``."""
    return sysconfig.get_config_var("SOABI") or sysconfig.get_platform()


def machine_tag() -> str:
    """Name this machine and its C library: ``x86_64-linux-gnu``."""
    parts = interpreter_tag().split("-", 2)
    return parts[2] if parts[2:] else sysconfig.get_platform()
