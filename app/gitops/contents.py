"""What a commit says about hooks: from its id to a desired state, whole or as a difference."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.domain.errors import Problem, Rejected, Stalled
from app.domain.manifests.manifest import MANIFEST
from app.domain.plans.plan import DesiredHook, DesiredState
from app.domain.revisions import CommitSha, TreeSha
from app.domain.triggers.definitions import MAX_CUSTOM_TRIGGERS, TriggerDefinition
from app.domain.triggers.repository_settings import (
    REPOSITORY_SETTINGS,
    SUFFIX,
    TRIGGERS,
    RepositorySettings,
    read_repository_settings,
)
from app.gitops.commits import CommitFacts, parse_commit
from app.gitops.comparison import MAX_HOOKS, MAX_TREE_BYTES, Comparison, HookFolder, compare
from app.gitops.formats import auth0_hooks
from app.gitops.formats.choice import Chosen, FormatSettings, choose
from app.gitops.formats.files import CommitFiles, Files
from app.gitops.formats.keywords import Keywords
from app.gitops.formats.native import read_blob, read_hooks, shared_names
from app.gitops.objects import MissingObject, Objects, Oversized
from app.gitops.refusals import refusal_of
from app.gitops.trees import Entry, EntryKind, MalformedTree, parse_tree, wrong_with

MAX_COMMIT_BYTES = 1024 * 1024

_HOOKS = "hooks"
_READ_AT_TOP = (_HOOKS, TRIGGERS, REPOSITORY_SETTINGS)
_REMEMBERED_TREES = 4

_AS_IT_STANDS = FormatSettings()

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

    def __init__(
        self, objects: Objects, path: str, formats: FormatSettings = _AS_IT_STANDS
    ) -> None:
        self._objects = objects
        self._formats = formats
        self._path = path
        self._names: OrderedDict[str, _Names] = OrderedDict()

    def read(self, commit: CommitSha, since: TreeSha | None) -> DesiredState:
        """Return what ``commit`` says, or only what differs from the tree ``since``.

        Raises ``Rejected`` with every problem, ``Stalled`` when objects are missing or damaged.
        """
        facts = self._read_commit(commit)
        try:
            tree = self._find_tree(commit, facts.tree)
            files = CommitFiles(self._objects, tree)
            chosen = choose(files, self._formats)
            if chosen.format != "native":
                return self._read_auth0(commit, facts, tree, files, chosen)
            if since is not None and not self._was_native(since):
                since = None
            if tree == since:
                return _state(commit, tree, facts, [], frozenset(), complete=False)
            partial = None if since is None else self._read_difference(since, tree)
            if partial is not None:
                return _state(commit, tree, facts, *partial, complete=False)
            hooks, triggers = self._read_whole(tree)
        except Rejected as refusal:
            raise refusal_of(commit, refusal, self._path) from refusal
        whole = _state(commit, tree, facts, hooks, frozenset(), complete=True)
        return replace(whole, triggers=triggers)

    def _read_auth0(
        self, commit: CommitSha, facts: CommitFacts, tree: TreeSha, files: Files, chosen: Chosen
    ) -> DesiredState:
        """Read all of it, always: keywords are part of what it says, and may have changed."""
        top = self._top(tree)
        problems = [problem for problem in top.problems if problem.file != _HOOKS]
        if chosen.file is None:
            problems = list(top.problems)
        settings = self._read_settings(top, problems)
        hooks: list[DesiredHook] = []
        try:
            keywords = Keywords(self._formats.keywords)
            hooks = auth0_hooks.read_hooks(files, chosen, keywords, settings.known_triggers)
        except Rejected as refusal:
            problems += refusal.problems
        if problems:
            raise Rejected("The hooks are not valid.", problems=problems)
        whole = _state(commit, tree, facts, hooks, frozenset(), complete=True)
        return replace(whole, triggers=settings.triggers)

    def _was_native(self, since: TreeSha) -> bool:
        """Tell whether a former tree can be compared folder by folder."""
        if since in self._names:
            return True
        try:
            return choose(CommitFiles(self._objects, since), _AS_IT_STANDS).format == "native"
        except (MissingObject, Rejected):
            return False

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
