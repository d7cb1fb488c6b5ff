"""How much memory all workers together may use: a size, or a share of what the machine grants."""

from __future__ import annotations

import re
from pathlib import Path

from app.domain.errors import Stalled

DEFAULT_MEMORY = "75%"

_SIZE = re.compile(r"([1-9][0-9]*)(MiB|GiB)\Z")
_SHARE = re.compile(r"([1-9][0-9]?|100)%\Z")
_MEBIBYTE = 1 << 20
_CONTROL_GROUP = "sys/fs/cgroup"
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""Of a control group of version 2, and of version 1, as a container sees its own."""


def bound_of(text: str, root: Path = Path("/")) -> int:
    """Return bytes for e.g. ``2GiB``, ``512MiB`` or ``75%`` of what this machine or container has.

    Raises ``Stalled`` for any other text, and if a share is asked of what cannot be found out.
    """
    if size := _SIZE.match(text):
        return int(size[1]) * _MEBIBYTE * (1024 if size[2] == "GiB" else 1)
    if share := _SHARE.match(text):
        return granted(root) * int(share[1]) // 100
    raise Stalled(f"max_memory is `{text}`; it must be like `2GiB`, `512MiB` or `75%`.")


def granted(root: Path = Path("/")) -> int:
    """Return the memory of this machine or container in bytes; raise ``Stalled`` if unknown."""
    found = [_total(root / "proc/meminfo")]
    for name in _LIMITS:
        try:
            written = (root / _CONTROL_GROUP / name).read_text()
        except OSError:
            continue
        if written.strip().isdigit():
            found.append(int(written))
    return min(found)


def _total(path: Path) -> int:
    try:
        line = next(line for line in path.read_text().splitlines() if line.startswith("MemTotal:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration, ValueError, IndexError) as error:
        raise Stalled(
            f"{path} does not say how much memory there is ({error}); set max_memory to a size."
        ) from error
