"""Which hook folders differ between two trees, found by ids: equal ids are equal contents.

Both trees are walked together, level by level, and only where they differ. So the work follows the
size of the change, not of the repository, and each level is read from git in one go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from app.domain.errors import Problem
from app.domain.manifests.manifest import MANIFEST
from app.gitops.objects import Objects, Oversized
from app.gitops.trees import Entry, EntryKind, MalformedTree, parse_tree, wrong_with

MAX_TREE_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 12
MAX_ENTRIES = 250_000
"""Twelve objects can name ten thousand million paths; a walk ends long before."""
MAX_HOOKS = 20_000

_Entries = Mapping[str, Entry]
_NOTHING: _Entries = {}


@dataclass(frozen=True, slots=True)
class HookFolder:
    """A folder that holds a manifest, in the newer tree."""

    path: str
    files: Mapping[str, str]
    """Blob ids by name, of the files in the folder itself."""
    folders: Mapping[str, str]
    """Tree ids by name, of the folders in it."""
    former_manifest: str | None
    """Blob id of the manifest in the older tree, if there was a hook here."""


@dataclass(slots=True)
class Comparison:
    """What a walk found."""

    changed: dict[str, HookFolder] = field(default_factory=dict)
    """Folders of the newer tree that hold a hook and are not the same in the older one."""
    removed: set[str] = field(default_factory=set)
    """Folders that held a hook in the older tree and hold none in the newer."""
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Pair:
    path: str
    old: str | None
    new: str | None
    hook: str | None
    """The hook folder above in the newer tree, in which no other hook may be."""
    was_in_hook: bool
    """Whether there was a hook above in the older tree, so that none can have been here."""


def compare(objects: Objects, path: str, old: str | None, new: str | None) -> Comparison:
    """Walk the trees ``old`` and ``new`` (ids; None for nothing) at ``path``.

    Raises ``Stalled`` when objects are missing or damaged; what is wrong with the newer tree is in
    ``problems`` of the result.
    """
    return _Walk(objects).run(_Pair(path, old, new, None, was_in_hook=False))


class _Walk:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._found = Comparison()
        self._former: set[str] = set()
        self._entries = 0
        self._checked: set[str] = set()

    def run(self, root: _Pair) -> Comparison:
        level = [root]
        for _ in range(MAX_DEPTH):
            level = self._walk(level)
            if not level:
                break
        else:
            self._refuse(level[0].path, f"is nested deeper than {MAX_DEPTH} folders")
        self._found.removed = self._former - self._found.changed.keys()
        return self._found

    def _walk(self, level: list[_Pair]) -> list[_Pair]:
        trees = self._read(level)
        below: list[_Pair] = []
        for pair in level:
            below += self._visit(pair, trees)
            if self._is_over_limits():
                return []
        return below

    def _read(self, level: list[_Pair]) -> dict[str, _Entries]:
        ids = {sha for pair in level for sha in (pair.old, pair.new) if sha is not None}
        trees: dict[str, _Entries] = {}
        refused: dict[str, str] = {}
        listed: dict[str, tuple[Entry, ...]] = {}
        for sha, data in self._objects.read_many(ids, "tree", MAX_TREE_BYTES).items():
            if isinstance(data, Oversized):
                refused[sha] = f"has more entries than fit in {MAX_TREE_BYTES} bytes"
                continue
            try:
                listed[sha] = parse_tree(data)
            except MalformedTree:
                refused[sha] = "is not a folder as git writes them; run `git fsck`"
        for sha, entries in listed.items():
            trees[sha] = {entry.name: entry for entry in entries}
        self._check_new(level, listed, refused)
        return trees

    def _check_new(
        self,
        level: list[_Pair],
        listed: Mapping[str, tuple[Entry, ...]],
        refused: Mapping[str, str],
    ) -> None:
        """Check names and kinds, once per tree: a tree met at many paths is wrong at each."""
        for pair in level:
            if pair.new is None or pair.new in self._checked:
                continue
            self._checked.add(pair.new)
            if pair.new in refused:
                self._refuse(pair.path, refused[pair.new])
            for name, message in wrong_with(listed.get(pair.new, ())):
                self._refuse(f"{pair.path}/{name}", message)

    def _visit(self, pair: _Pair, trees: Mapping[str, _Entries]) -> Iterator[_Pair]:
        old = trees.get(pair.old, _NOTHING) if pair.old is not None else _NOTHING
        new = trees.get(pair.new, _NOTHING) if pair.new is not None else _NOTHING
        self._entries += len(new)
        was_hook, is_hook = _is_hook(old), _is_hook(new)
        hook = pair.hook
        if was_hook:
            self._former.add(pair.path)
        if is_hook and hook is not None:
            self._refuse(f"{pair.path}/{MANIFEST}", f"lies within another hook's folder, {hook}")
        elif is_hook:
            hook = pair.path
            self._found.changed[pair.path] = HookFolder(
                pair.path,
                {entry.name: entry.sha for entry in new.values() if entry.kind is EntryKind.FILE},
                {entry.name: entry.sha for entry in new.values() if entry.kind is EntryKind.FOLDER},
                old[MANIFEST].sha if was_hook else None,
            )
        yield from _children(pair.path, old, new, hook, was_in_hook=was_hook or pair.was_in_hook)

    def _is_over_limits(self) -> bool:
        if self._entries > MAX_ENTRIES:
            self._refuse("hooks", f"holds more than {MAX_ENTRIES} files and folders")
        elif len(self._found.changed) > MAX_HOOKS:
            self._refuse("hooks", f"holds more than {MAX_HOOKS} hooks")
        else:
            return False
        return True

    def _refuse(self, file: str, message: str) -> None:
        self._found.problems.append(Problem(message, file=file))


def _children(
    path: str, old: _Entries, new: _Entries, hook: str | None, *, was_in_hook: bool
) -> Iterator[_Pair]:
    for name in {**new, **old}:
        before, after = _folder(old.get(name)), _folder(new.get(name))
        if before is None and after is None:
            continue
        # An unchanged folder may hold hooks that lie within another one now: look again.
        is_newly_in_hook = hook is not None and not was_in_hook
        if before != after or is_newly_in_hook:
            yield _Pair(f"{path}/{name}", before, after, hook, was_in_hook)


def _folder(entry: Entry | None) -> str | None:
    return entry.sha if entry is not None and entry.kind is EntryKind.FOLDER else None


def _is_hook(entries: _Entries) -> bool:
    manifest = entries.get(MANIFEST)
    return manifest is not None and manifest.kind is EntryKind.FILE
