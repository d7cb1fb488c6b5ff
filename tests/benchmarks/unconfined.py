"""The zygote with workers that nothing confines: only to learn what confinement costs."""

from __future__ import annotations

import os

from app.runtime.inside import sandbox, zygote

_ALL = ("memory", "uid", "no-new-privileges", "landlock", "seccomp", "processes")


def main(*arguments: str) -> None:
    sandbox.confine = _claim
    zygote.main(*arguments)


def _claim(confinement: sandbox.Confinement) -> tuple[str, ...]:
    os.closerange(confinement.first_closed, 1024)
    return _ALL
