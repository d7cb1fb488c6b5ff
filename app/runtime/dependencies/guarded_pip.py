"""Runs pip so that it can start no program; a script for a process of its own.

Packages come as wheels, and to unpack a wheel takes no program. But a wheel may demand another
package by the address of a repository or of a source archive, to which ``--only-binary`` does not
apply: git would be started, or the archive's build script. An audit hook, which nothing can take
away again, ends that before it begins.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import PurePath
from typing import Any

REFUSAL = "packages are installed without starting any program"

_STARTS = frozenset(
    ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")
)
_MUSL_LOADER = "ld-musl-"
"""Asked by pip, without arguments, which version of musl it is."""


def guard(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise ``OSError`` when a program is about to be started.

    pip does without ``uname`` and its like then, and passes on what we say of all others; of a
    ``PermissionError`` it would make a sentence of its own.
    """
    if event not in _STARTS:
        return
    if event == "subprocess.Popen" and PurePath(str(arguments[0])).name.startswith(_MUSL_LOADER):
        return
    raise OSError(REFUSAL)


if __name__ == "__main__":
    sys.addaudithook(guard)
    sys.argv[0] = "pip"
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
