"""Hooks as they stand in a work tree, with their fixtures: what an author tries before a commit.

The work tree belongs to whoever runs the command, so files are read plainly; what is deployed is
read from commits instead, by ``source``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from app.domain.errors import NotFound, Rejected
from app.domain.fixtures import Fixture, parse_fixture
from app.domain.manifests import ManifestDefaults, parse_manifest, parse_repository_settings
from app.domain.plans import DesiredHook

_MANIFEST = "hook.toml"
_SETTINGS = "hookledger.toml"


def read_worktree(
    path: Path, known_triggers: Collection[str]
) -> Iterator[tuple[DesiredHook, tuple[Fixture, ...]]]:
    """Read every hook at or below ``path``, which is a hooks repository or a folder within one.

    Raises ``NotFound`` when there is none, ``Rejected`` with the problems of the first file that
    cannot be used.
    """
    root = _root_of(path.resolve())
    manifests = sorted(path.resolve().rglob(_MANIFEST))
    if not manifests:
        raise NotFound(f"There is no hook below {path}: no folder holds a {_MANIFEST}.")
    defaults = _defaults(root)
    for manifest in manifests:
        yield _read(root, manifest.parent, known_triggers, defaults)


def _root_of(path: Path) -> Path:
    """Find the folder that holds ``hooks/``, from ``path`` upwards."""
    if (path / "hooks").is_dir():
        return path
    for parent in path.parents:
        if path.is_relative_to(parent / "hooks") and (parent / "hooks").is_dir():
            return parent
    raise NotFound(f"{path} is not in a hooks repository: no folder above it holds `hooks/`.")


def _defaults(root: Path) -> ManifestDefaults:
    settings = root / _SETTINGS
    if not settings.is_file():
        return ManifestDefaults()
    return parse_repository_settings(settings.read_bytes())


def _read(
    root: Path, folder: Path, known_triggers: Collection[str], defaults: ManifestDefaults
) -> tuple[DesiredHook, tuple[Fixture, ...]]:
    try:
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
        place = folder.relative_to(root).as_posix()
        hook = parse_manifest(place, files.pop(_MANIFEST), files, known_triggers, defaults)
        fixtures = tuple(
            parse_fixture(f"{place}/fixtures/{file.name}", file.read_bytes())
            for file in sorted((folder / "fixtures").glob("*.json"))
        )
    except OSError as error:
        raise Rejected(f"{folder} cannot be read: {error}.") from error
    return hook, fixtures
