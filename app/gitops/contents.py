"""What a commit says about hooks: from its id to a desired state, whole or as a difference."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.domain.definitions import MAX_CUSTOM_TRIGGERS, TriggerDefinition
from app.domain.errors import Problem, Rejected, Stalled
from app.domain.manifests import MANIFEST
from app.domain.plans import DesiredHook, DesiredState
from app.domain.repository_settings import (
    REPOSITORY_SETTINGS,
    SUFFIX,
    TRIGGERS,
    RepositorySettings,
    read_repository_settings,
)
from app.domain.revisions import CommitSha, TreeSha
from app.domain.toml_documents import printable
from app.gitops.commits import CommitFacts, parse_commit
from app.gitops.comparison import MAX_HOOKS, MAX_TREE_BYTES, Comparison, HookFolder, compare
from app.gitops.formats.native import read_blob, read_hooks, shared_names
from app.gitops.objects import MissingObject, Objects, Oversized
from app.gitops.trees import Entry, EntryKind, MalformedTree, parse_tree, wrong_with

MAX_COMMIT_BYTES = 1024 * 1024

_HOOKS = "hooks"
_READ_AT_TOP = (_HOOKS, TRIGGERS, REPOSITORY_SETTINGS)
_MAX_PROBLEMS = 500
_MAX_FILE_SHOWN = 4096
_REMEMBERED_TREES = 4

_Names = Mapping[str, str]
"""Hook folders and the names of the hooks in them."""


@dataclass(frozen=True, slots=True)
class _Top:
    """The folder that is followed."""

    hooks: Entry | None
    triggers: Entry | None
    settings: Entry | None
    problems: tuple[Problem, ...]


class Contents:
    """Reads desired states; remembers the names of the last few, to tell when two collide."""

    def __init__(self, objects: Objects, path: str) -> None:
        self._objects = objects
        self._path = path
        self._names: OrderedDict[str, _Names] = OrderedDict()

    def read(self, commit: CommitSha, since: TreeSha | None) -> DesiredState:
        """Return what ``commit`` says, or only what differs from the tree ``since``.

        Raises ``Rejected`` with every problem, ``Stalled`` when objects are missing or damaged.
        """
        facts = self._read_commit(commit)
        try:
            tree = self._find_tree(commit, facts.tree)
            if tree == since:
                return _state(commit, tree, facts, [], frozenset(), complete=False)
            partial = None if since is None else self._read_difference(since, tree)
            if partial is not None:
                return _state(commit, tree, facts, *partial, complete=False)
            hooks, triggers = self._read_whole(tree)
        except Rejected as refusal:
            raise self._refusal(commit, refusal) from refusal
        whole = _state(commit, tree, facts, hooks, frozenset(), complete=True)
        return replace(whole, triggers=triggers)

    def _read_commit(self, commit: CommitSha) -> CommitFacts:
        data = self._objects.read(commit, "commit", MAX_COMMIT_BYTES)
        if isinstance(data, Oversized):
            raise Stalled(f"Commit {commit} is {data.size} bytes; it is not read.")
        return parse_commit(commit, data)

    def _find_tree(self, commit: CommitSha, root: str) -> TreeSha:
        sha = root
        for name in filter(None, self._path.split("/")):
            found = [entry for entry in self._entries(sha) if entry.name == name]
            if len(found) != 1 or found[0].kind is not EntryKind.FOLDER:
                message = (
                    f"commit {commit[:12]} has no folder `{self._path}`; commit one, or set "
                    "HOOKLEDGER_REPO_PATH to the folder to follow"
                )
                raise Rejected("The followed folder is gone.", problems=[Problem(message)])
            sha = found[0].sha
        return TreeSha(sha)

    def _read_whole(self, tree: TreeSha) -> tuple[list[DesiredHook], tuple[TriggerDefinition, ...]]:
        top = self._top(tree)
        comparison = compare(self._objects, _HOOKS, None, top.hooks.sha if top.hooks else None)
        settings, hooks, names = self._read_changed(top, comparison, {})
        self._remember(tree, names)
        return hooks, settings.triggers

    def _read_difference(
        self, since: TreeSha, tree: TreeSha
    ) -> tuple[list[DesiredHook], frozenset[str]] | None:
        """Read what changed; None if only the whole can tell."""
        top = self._top(tree)
        try:
            former = self._top(since)
            if (former.settings, former.triggers) != (top.settings, top.triggers):
                return None
            if former.hooks is None or top.hooks is None:
                return None
            comparison = compare(self._objects, _HOOKS, former.hooks.sha, top.hooks.sha)
        except MissingObject:
            # The applied tree is gone after a force-push and a gc.
            return None
        known = self._names.get(since)
        if known is None and any(map(_may_be_renamed, comparison.changed.values())):
            return None
        _, hooks, names = self._read_changed(top, comparison, known or {})
        if known is not None:
            self._remember(tree, names)
        return hooks, frozenset(comparison.removed)

    def _read_changed(
        self, top: _Top, comparison: Comparison, former: _Names
    ) -> tuple[RepositorySettings, list[DesiredHook], _Names]:
        """Read the changed folders; raise ``Rejected`` with all that is wrong anywhere."""
        problems = [*top.problems, *comparison.problems]
        settings = self._read_settings(top, problems)
        changed = comparison.changed.values()
        hooks, refused = read_hooks(
            self._objects, changed, settings.known_triggers, settings.defaults
        )
        problems += refused
        names = _updated(former, comparison, hooks)
        if names is not former:
            problems += shared_names(names)
        if len(names) > MAX_HOOKS:
            problems.append(Problem(f"there are more than {MAX_HOOKS} hooks", file=_HOOKS))
        if problems:
            raise Rejected("The hooks are not valid.", problems=problems)
        return settings, hooks, names

    def _read_settings(self, top: _Top, problems: list[Problem]) -> RepositorySettings:
        try:
            definitions = self._definitions(top)
        except Rejected as refusal:
            problems += refusal.problems
            return RepositorySettings()
        try:
            settings = None
            if top.settings is not None and top.settings.kind is EntryKind.FILE:
                settings = read_blob(self._objects, top.settings.sha, REPOSITORY_SETTINGS)
            return read_repository_settings(settings, definitions)
        except Rejected as refusal:
            problems += refusal.problems
            # So that no hook is blamed for a trigger that is only badly written.
            ids = (name.removesuffix(SUFFIX) for name in definitions)
            return RepositorySettings(
                triggers=tuple(TriggerDefinition(i, custom=True) for i in ids)
            )

    def _definitions(self, top: _Top) -> dict[str, bytes]:
        if top.triggers is None or top.triggers.kind is not EntryKind.FOLDER:
            return {}
        entries = self._entries(top.triggers.sha)
        found = [entry for entry in entries if entry.name.endswith(SUFFIX)]
        problems = [
            Problem(message, file=f"{TRIGGERS}/{name}") for name, message in wrong_with(found)
        ]
        if problems:
            raise Rejected("The triggers are not valid.", problems=problems)
        return {
            entry.name: read_blob(self._objects, entry.sha, f"{TRIGGERS}/{entry.name}")
            for entry in found[: MAX_CUSTOM_TRIGGERS + 1]
            if entry.kind is EntryKind.FILE
        }

    def _top(self, tree: TreeSha) -> _Top:
        read = [e for e in self._entries(tree) if e.name.casefold() in _READ_AT_TOP]
        by_name = {entry.name: entry for entry in read}
        problems = [Problem(message, file=name) for name, message in wrong_with(read)]
        hooks, triggers = by_name.get(_HOOKS), by_name.get(TRIGGERS)
        if hooks is None or hooks.kind is EntryKind.FILE:
            message = (
                "there is no such folder, which is taken for a mistake; to have no hooks at all, "
                "keep the folder with a README.md in it"
            )
            problems.append(Problem(message, file=_HOOKS))
        is_folder = hooks is not None and hooks.kind is EntryKind.FOLDER
        settings = by_name.get(REPOSITORY_SETTINGS)
        return _Top(hooks if is_folder else None, triggers, settings, tuple(problems))

    def _entries(self, sha: str) -> tuple[Entry, ...]:
        data = self._objects.read(sha, "tree", MAX_TREE_BYTES)
        if isinstance(data, Oversized):
            raise _refused(f"folder {sha} has more entries than fit in {MAX_TREE_BYTES} bytes")
        try:
            return parse_tree(data)
        except MalformedTree as error:
            raise _refused(f"folder {sha} is not as git writes them; run `git fsck`") from error

    def _remember(self, tree: str, names: _Names) -> None:
        self._names[tree] = names
        self._names.move_to_end(tree)
        while len(self._names) > _REMEMBERED_TREES:
            self._names.popitem(last=False)

    def _refusal(self, commit: CommitSha, refusal: Rejected) -> Rejected:
        """Name files as the repository's root sees them, and cut what nobody could read."""
        problems = refusal.problems or (Problem(refusal.message),)
        ordered = sorted(problems, key=lambda p: (p.file or "", p.line or 0))
        shown = [self._placed(problem) for problem in ordered[:_MAX_PROBLEMS]]
        if len(ordered) > _MAX_PROBLEMS:
            shown.append(Problem(f"and {len(ordered) - _MAX_PROBLEMS} more problems"))
        return Rejected(
            f"Commit {commit[:12]} is refused; what was in force before stays in force.",
            problems=shown,
        )

    def _placed(self, problem: Problem) -> Problem:
        if problem.file is None:
            return problem
        file = f"{self._path}/{problem.file}" if self._path else problem.file
        return replace(problem, file=printable(file, _MAX_FILE_SHOWN))


def _updated(former: _Names, comparison: Comparison, hooks: Sequence[DesiredHook]) -> _Names:
    """Return the names after a change; the same mapping if none changed, as is most usual."""
    changed = {hook.path: hook.name for hook in hooks}
    if not comparison.removed and changed.items() <= former.items():
        return former
    gone = comparison.removed | comparison.changed.keys()
    return {folder: name for folder, name in former.items() if folder not in gone} | changed


def _may_be_renamed(folder: HookFolder) -> bool:
    """Tell whether the hook may bear a name that another, unchanged one bears already."""
    return folder.former_manifest != folder.files[MANIFEST]


def _refused(message: str) -> Rejected:
    return Rejected("The repository is not valid.", problems=[Problem(message)])


def _state(
    commit: CommitSha,
    tree: TreeSha,
    facts: CommitFacts,
    hooks: Iterable[DesiredHook],
    removed: frozenset[str],
    *,
    complete: bool,
) -> DesiredState:
    return DesiredState(
        commit=commit,
        tree=tree,
        author=facts.author,
        committer=facts.committer,
        message=facts.message,
        hooks=tuple(hooks),
        removed=removed,
        complete=complete,
    )
