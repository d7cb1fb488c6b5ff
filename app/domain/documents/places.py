"""Where a source says something of a hook: in a manifest of its folder, or in a file of its own."""

from __future__ import annotations

_DESCRIBING = (".json", ".yaml", ".yml")
"""Files of Auth0's Deploy CLI."""


def is_file(path: str) -> bool:
    """Tell whether a hook's path is the file that describes it, and not its folder."""
    return path.endswith(_DESCRIBING)


def entry_place(path: str) -> str:
    """Return what is removed to remove the hook at ``path``: a folder, or what a file says."""
    return path if is_file(path) else f"{path}/"


def manifest_place(path: str) -> str:
    """Return the file that describes the hook at ``path``, below the source's path."""
    return path if is_file(path) else f"{path}/hook.toml"
