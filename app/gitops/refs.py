"""Which commit a branch or tag names, read from a foreign repository's files.

Reading a ref costs about 15 microseconds, so a watcher may ask as often as it likes.
"""

from __future__ import annotations

import re

from app.domain.errors import Stalled
from app.gitops.layout import Layout, read_text

_MAX_REF_BYTES = 4096
_MAX_PACKED_REFS_BYTES = 64 * 1024 * 1024
_MAX_SYMBOLIC = 5
"""Git's own limit for refs that name refs."""
_SHA1 = re.compile(r"[0-9a-f]{40}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|@\{|//|/\.|\.lock(?:/|\Z)")


def is_ref_name(name: str) -> bool:
    """Tell whether git would accept ``name`` (``git check-ref-format``), and it is no option."""
    return (
        0 < len(name) <= 1024  # noqa: PLR2004 (longer than any path component can make sense)
        and not _FORBIDDEN.search(name)
        and not name.startswith(("-", "/", "."))
        and not name.endswith(("/", "."))
        and name != "@"
    )


def read_ref(layout: Layout, name: str) -> str | None:
    """Return the object id under a full ref name, or ``HEAD``; None if there is no such ref.

    Raises ``Stalled`` for what cannot be followed, ``Transient`` if reading failed.
    """
    for _ in range(_MAX_SYMBOLIC):
        # A ref may be packed between the two looks; it is in one of the places at any time.
        value = _read_loose(layout, name) or _read_packed(layout, name) or _read_loose(layout, name)
        if value is None:
            return None
        if not value.startswith("ref:"):
            return _checked(name, value)
        name = value.removeprefix("ref:").strip()
        if not is_ref_name(name) or not name.startswith("refs/"):
            raise Stalled(f"{layout.common_dir} has a symbolic ref to no usable ref.")
    raise Stalled(f"{layout.common_dir} has symbolic refs that lead in a circle.")


def read_head(layout: Layout) -> str | None:
    """Return the short name of the branch that HEAD names, born or not; None if it names none."""
    head = read_text(layout.git_dir / "HEAD", _MAX_REF_BYTES) or ""
    target = head.removeprefix("ref:").strip()
    if not head.startswith("ref:") or not target.startswith("refs/heads/"):
        return None
    if not is_ref_name(target):
        raise Stalled(f"{layout.git_dir} is on a branch whose name git would not accept.")
    return target.removeprefix("refs/heads/")


def has_branches(layout: Layout) -> bool:
    """Tell whether the repository has any branch at all, that is, any commit."""
    packed = read_text(layout.common_dir / "packed-refs", _MAX_PACKED_REFS_BYTES) or ""
    loose = (layout.refs / "heads").rglob("*")
    return " refs/heads/" in packed or any(file.is_file() for file in loose)


def _read_loose(layout: Layout, name: str) -> str | None:
    base = layout.common_dir if name.startswith("refs/") else layout.git_dir
    value = read_text(base / name, _MAX_REF_BYTES)
    return None if value is None else value.strip() or None


def _read_packed(layout: Layout, name: str) -> str | None:
    packed = read_text(layout.common_dir / "packed-refs", _MAX_PACKED_REFS_BYTES)
    if packed is None:
        return None
    end = packed.find(f" {name}\n")
    return packed[packed.rfind("\n", 0, end) + 1 : end] if end >= 0 else None


def _checked(name: str, value: str) -> str:
    if _SHA1.match(value):
        return value
    if _SHA256.match(value):
        raise Stalled(
            "The repository names its objects by SHA-256, which is not supported; use a SHA-1 one."
        )
    raise Stalled(f"The ref {name} does not hold an object id; repair the repository.")
