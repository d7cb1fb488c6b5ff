"""The native format: a folder with a ``hook.toml`` and a script is a hook, wherever it lies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from app.domain.documents.fixtures import FIXTURES, Fixture, parse_fixture
from app.domain.errors import Problem, Rejected
from app.domain.manifests.manifest import DEFAULT_SCRIPTS, MANIFEST, TESTS, parse_manifest
from app.domain.manifests.sealed_files import SEALED_FILE
from app.domain.plans.plan import DesiredHook
from app.domain.triggers.repository_settings import ManifestDefaults
from app.gitops.comparison import MAX_TREE_BYTES, HookFolder
from app.gitops.objects import Objects, Oversized
from app.gitops.trees import EntryKind, parse_tree

MAX_BLOB_BYTES = 1024 * 1024
MAX_FIXTURES = 100

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def read_hooks(
    objects: Objects,
    folders: Collection[HookFolder],
    known_triggers: Collection[str],
    defaults: ManifestDefaults,
) -> tuple[list[DesiredHook], list[Problem]]:
    """Read every folder; return the hooks that are valid, and all that is wrong with the others."""
    hooks: list[DesiredHook] = []
    problems: list[Problem] = []
    blobs = objects.read_many(list(_expected_blobs(folders)), "blob", MAX_BLOB_BYTES)
    for folder in folders:
        files = _Files(objects, folder, blobs)
        try:
            manifest = files[MANIFEST]
            hook = parse_manifest(folder.path, manifest, files, known_triggers, defaults)
            if SEALED_FILE in folder.files:
                hook = replace(hook, sealed=files[SEALED_FILE])
            hooks.append(_with_fixtures(objects, folder, hook))
        except Rejected as refusal:
            problems += refusal.problems
    return hooks, problems


def read_blob(objects: Objects, sha: str, file: str) -> bytes:
    """Read one file; raise ``Rejected`` for one that is too large or kept elsewhere."""
    return _checked(objects.read(sha, "blob", MAX_BLOB_BYTES), file)


def shared_names(names: Mapping[str, str]) -> Iterator[Problem]:
    """Find names that several folders claim; ``names`` maps folders to names."""
    folders = defaultdict(list)
    for folder, name in names.items():
        folders[name].append(f"{folder}/{MANIFEST}")
    for name, files in folders.items():
        if len(files) > 1:
            listed = " and ".join(sorted(files))
            for file in sorted(files):
                yield Problem(f"the name `{name}` is claimed by {listed}", file=file, key="name")


def _with_fixtures(objects: Objects, folder: HookFolder, hook: DesiredHook) -> DesiredHook:
    """Add the fixtures of a hook that must not go live without them; raise ``Rejected``."""
    if TESTS not in hook.settings:
        return hook
    place = f"{folder.path}/{FIXTURES}"
    sha = folder.folders.get(FIXTURES)
    files = {} if sha is None else _fixture_files(objects, sha, place)
    if not files:
        message = "there is none, but `[tests] required = true` demands fixtures"
        raise Rejected("The fixtures are missing.", problems=[Problem(message, file=place)])
    if len(files) > MAX_FIXTURES:
        message = f"there are {len(files)} fixtures; a hook may have {MAX_FIXTURES}"
        raise Rejected("There are too many fixtures.", problems=[Problem(message, file=place)])
    blobs = objects.read_many(list(files.values()), "blob", MAX_BLOB_BYTES)
    fixtures: list[Fixture] = []
    problems: list[Problem] = []
    for file, blob in files.items():
        try:
            fixtures.append(parse_fixture(file, _checked(blobs[blob], file)))
        except Rejected as refusal:
            problems += refusal.problems
    if problems:
        raise Rejected("The fixtures cannot be used.", problems=problems)
    return replace(hook, fixtures=tuple(fixtures))


def _fixture_files(objects: Objects, sha: str, place: str) -> dict[str, str]:
    tree = objects.read(sha, "tree", MAX_TREE_BYTES)
    entries = () if isinstance(tree, Oversized) else parse_tree(tree)
    return {
        f"{place}/{entry.name}": entry.sha
        for entry in sorted(entries, key=lambda entry: entry.name)
        if entry.kind is EntryKind.FILE and entry.name.endswith(".json")
    }


def _expected_blobs(folders: Collection[HookFolder]) -> Iterator[str]:
    """Guess what will be read, so that it comes in one go; what was not guessed comes singly."""
    for folder in folders:
        yield folder.files[MANIFEST]
        for name in DEFAULT_SCRIPTS:
            if name in folder.files:
                yield folder.files[name]
                break


class _Files(Mapping[str, bytes]):
    """Files of one folder, read when they are looked up."""

    def __init__(
        self, objects: Objects, folder: HookFolder, blobs: Mapping[str, bytes | Oversized]
    ) -> None:
        self._objects = objects
        self._folder = folder
        self._blobs = blobs

    def __getitem__(self, name: str) -> bytes:
        sha = self._folder.files[name]
        blob = self._blobs.get(sha)
        if blob is None:
            blob = self._objects.read(sha, "blob", MAX_BLOB_BYTES)
        return _checked(blob, f"{self._folder.path}/{name}")

    def __contains__(self, name: object) -> bool:
        return name in self._folder.files

    def __iter__(self) -> Iterator[str]:
        return iter(self._folder.files)

    def __len__(self) -> int:
        return len(self._folder.files)


def _checked(blob: bytes | Oversized, file: str) -> bytes:
    if isinstance(blob, Oversized):
        message = f"is {blob.size} bytes; no file may have more than {MAX_BLOB_BYTES}"
    elif blob.startswith(_LFS_POINTER):
        message = "is kept in Git LFS, which is not followed; commit the file itself"
    else:
        return blob
    raise Rejected(f"{file} cannot be read.", problems=[Problem(message, file=file)])
