"""Hooks as they stand in a work tree, with their fixtures: what an author tries before a commit.

The work tree belongs to whoever runs the command, so files are read plainly; what is deployed is
read from commits instead, by ``source``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.domain.documents.fixtures import FIXTURES, Fixture, parse_fixture
from app.domain.errors import NotFound, Rejected
from app.domain.manifests.manifest import MANIFEST, parse_manifest
from app.domain.plans.plan import DesiredHook
from app.domain.triggers.repository_settings import (
    REPOSITORY_SETTINGS,
    SUFFIX,
    TRIGGERS,
    RepositorySettings,
    read_repository_settings,
)


def read_worktree(
    path: Path,
) -> tuple[RepositorySettings, Iterator[tuple[DesiredHook, tuple[Fixture, ...]]]]:
    """Read the hooks at or below ``path``, which is a hooks repository or a folder within one.

    The settings are the repository's; hooks are read as they are asked for.

    Raises ``NotFound`` when there is none, ``Rejected`` with the problems of the first file that
    cannot be used.
    """
    root = _root_of(path.resolve())
    manifests = sorted(path.resolve().rglob(MANIFEST))
    if not manifests:
        raise NotFound(f"There is no hook below {path}: no folder holds a {MANIFEST}.")
    settings = _settings(root)
    return settings, (_read(root, manifest.parent, settings) for manifest in manifests)


def _root_of(path: Path) -> Path:
    """Find the folder that holds ``hooks/``, from ``path`` upwards."""
    if (path / "hooks").is_dir():
        return path
    for parent in path.parents:
        if path.is_relative_to(parent / "hooks") and (parent / "hooks").is_dir():
            return parent
    raise NotFound(f"{path} is not in a hooks repository: no folder above it holds `hooks/`.")


def _settings(root: Path) -> RepositorySettings:
    settings = root / REPOSITORY_SETTINGS
    definitions = sorted((root / TRIGGERS).glob(f"*{SUFFIX}"))
    return read_repository_settings(
        settings.read_bytes() if settings.is_file() else None,
        {file.name: file.read_bytes() for file in definitions},
    )


def _read(
    root: Path, folder: Path, settings: RepositorySettings
) -> tuple[DesiredHook, tuple[Fixture, ...]]:
    try:
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
        place = folder.relative_to(root).as_posix()
        hook = parse_manifest(
            place, files.pop(MANIFEST), files, settings.known_triggers, settings.defaults
        )
        fixtures = tuple(
            parse_fixture(f"{place}/{FIXTURES}/{file.name}", file.read_bytes())
            for file in sorted((folder / FIXTURES).glob("*.json"))
        )
    except OSError as error:
        raise Rejected(f"{folder} cannot be read: {error}.") from error
    return hook, fixtures
