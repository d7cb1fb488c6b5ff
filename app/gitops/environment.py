"""How every git process is started: a fixed program, a clean environment, and our own settings.

GitPython copies the server's environment into git's, so a ``GIT_DIR`` or ``GIT_CONFIG_PARAMETERS``
inherited from anywhere would count. ``env -i`` is the one way to be sure that nothing is inherited.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.domain.errors import Stalled

_VARIABLES = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    # An empty list allows no protocol at all: a local source is read, never fetched.
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_PROTOCOL_FROM_USER": "0",
    # refs/replace can put other content under a reviewed commit's id.
    "GIT_NO_REPLACE_OBJECTS": "1",
    # A missing object must be an error, not a reason to ask a remote.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    # A commit-graph is a cache in the foreign object directory that may lie about parents.
    "core.commitGraph": "false",
    "core.packedGitWindowSize": "32m",
    "core.packedGitLimit": "256m",
    "core.deltaBaseCacheLimit": "32m",
    "transfer.fsckObjects": "true",
    "transfer.bundleURI": "false",
    "protocol.allow": "never",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "credential.helper": "",
    "gpg.program": "/bin/false",
    "gpg.ssh.program": "/bin/false",
}


def git_command(
    git_dir: Path,
    arguments: Sequence[str],
    variables: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the argument list that runs git on ``git_dir`` and on nothing else.

    ``git_dir`` must be a repository of our own: git obeys the configuration it finds there.
    ``variables`` and ``settings`` go before ours. Raises ``Stalled`` if git is not installed.
    """
    every = {**_VARIABLES, "GIT_DIR": str(git_dir), **(variables or {})}
    every |= _counted({**_SETTINGS, **(settings or {})})
    assignments = [f"{name}={value}" for name, value in every.items()]
    return [program("env"), "-i", *assignments, program("git"), *arguments]


def _counted(settings: Mapping[str, str]) -> dict[str, str]:
    """Write settings the way git reads them from its environment, persistent processes included."""
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


@functools.cache
def program(name: str) -> str:
    """Return the path of a program; raise ``Stalled`` if it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise Stalled(f"The program `{name}` is not installed; install it and restart.")
    return found
