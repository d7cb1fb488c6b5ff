"""What a commit says, what is in force, and a plan: a value, decided before anything is changed."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.documents.fixtures import Fixture
from app.domain.documents.places import is_file
from app.domain.outcomes import Language
from app.domain.plans.secret_changes import SecretChange
from app.domain.revisions import CommitSha, Digest, TreeSha, content_digest, digest_of
from app.domain.signers import Signer
from app.domain.triggers.definitions import TriggerDefinition


@dataclass(frozen=True, slots=True)
class DesiredHook:
    """A hook as one commit describes it."""

    name: str
    trigger: str
    path: str
    """Folder below the source's path, e.g. ``hooks/pre-user-registration/no-throwaway``; or the
    file that describes the hook, where it has no folder of its own."""
    language: Language
    script: str
    script_file: str
    """Name of the script within the folder; without one, its place below the source's path."""
    dependencies: Mapping[str, str]
    settings: Mapping[str, Any]
    fixtures: tuple[Fixture, ...] = field(default=(), repr=False)
    """Examples that must hold before the hook may go live; read only if its manifest demands it."""
    sealed: bytes | None = field(default=None, repr=False)
    """Its file of sealed secrets, if it has one."""
    secrets: Mapping[str, str | None] | None = field(default=None, repr=False)
    """All secrets it is to have, by name; a None among them stays as it is. None: all stay."""

    @property
    def enabled(self) -> bool:
        return bool(self.settings["enabled"])

    @property
    def script_place(self) -> str:
        """Where the script stands below the source's path."""
        return self.script_file if is_file(self.path) else f"{self.path}/{self.script_file}"

    @property
    def digest(self) -> Digest:
        """Hash of all that runs: script, dependencies and settings; not of name or path."""
        return content_digest(self.language, self.script, self.dependencies, self.settings)


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What a commit says about hooks, whole or as a difference."""

    commit: CommitSha
    tree: TreeSha
    """Id of the subtree at the source's path; equal trees say the same."""
    author: str
    committer: str
    message: str
    hooks: tuple[DesiredHook, ...]
    removed: frozenset[str]
    """Folders that no longer hold a hook; empty if ``complete``."""
    complete: bool
    """Whether ``hooks`` is everything, so that a hook not in it is gone."""
    triggers: tuple[TriggerDefinition, ...] | None = None
    """What is said about triggers, all of it; None if that has not changed."""
    signer: Signer | None = None
    """Who vouches for the commit; None if no signature was demanded."""


@dataclass(frozen=True, slots=True)
class ActiveHook:
    """A hook as it is now."""

    id: str
    """ULID."""
    name: str
    trigger: str
    owner: str
    path: str | None
    language: Language
    script: str
    dependencies: Mapping[str, str]
    settings: Mapping[str, Any]
    digest: str
    enabled: bool
    break_glass: bool
    secrets: frozenset[str] = frozenset()
    """Names only."""


@dataclass(frozen=True, slots=True)
class ActiveTrigger:
    """A trigger that a repository defines, as it is now."""

    id: str
    owner: str
    definition: str
    """``TriggerDefinition.text``."""

    @property
    def is_chain(self) -> bool:
        """Whether several hooks run in turn."""
        return bool(json.loads(self.definition).get("mode") == "chain")


class ChangeKind(enum.StrEnum):
    """What happens to one hook or trigger."""

    CREATE = "create"
    UPDATE = "update"
    ENABLE = "enable"
    DISABLE = "disable"
    RETIRE = "retire"
    DEFINE = "define"
    UNDEFINE = "undefine"


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a plan; a hook may need several."""

    kind: ChangeKind
    name: str
    trigger: str
    path: str | None
    hook_id: str | None
    """ULID of the hook; None if the change creates it."""
    fields: tuple[str, ...] = ()
    """What changes: script, dependencies, settings, path, ``secrets.NAME``."""
    desired: DesiredHook | None = field(default=None, repr=False)
    definition: TriggerDefinition | None = field(default=None, repr=False)
    """What a trigger is to be, if it is defined."""

    @property
    def content(self) -> str | None:
        """Digest of what is brought into force; None if something goes."""
        if self.definition is not None:
            return digest_of(self.definition.text.encode())
        return self.desired.digest if self.desired else None

    def described(self) -> dict[str, Any]:
        """Return the members worth storing and showing."""
        members = {
            "kind": str(self.kind),
            "name": self.name,
            "trigger": self.trigger,
            "path": self.path,
            "fields": list(self.fields),
        }
        return {key: value for key, value in members.items() if value}


@dataclass(frozen=True, slots=True)
class Plan:
    """All that applying a revision would do, in the order in which it is done."""

    commit: CommitSha
    tree: TreeSha
    changes: tuple[Change, ...]
    secrets: tuple[SecretChange, ...] = ()
    """What happens to secrets, after everything else; their values are the commit's."""
    kept: tuple[str, ...] = ()
    """Names of hooks that git no longer has, but that stay because they say ``prune = false``."""

    @property
    def digest(self) -> Digest:
        """Names exactly this plan: same commit, same changes, same contents."""
        described = [change.described() | {"content": change.content} for change in self.changes]
        described += [change.described() for change in self.secrets]
        return digest_of(self.commit.encode(), json.dumps(described, sort_keys=True).encode())

    @property
    def dependencies(self) -> tuple[dict[str, str], ...]:
        """Packages that new or changed hooks ask for: ``hook``, ``name``, ``version`` of each."""
        asking = [
            change.desired
            for change in self.changes
            if change.desired is not None
            and (change.kind is ChangeKind.CREATE or "dependencies" in change.fields)
        ]
        return tuple(
            {"hook": hook.name, "name": name, "version": version}
            for hook in asking
            for name, version in sorted(hook.dependencies.items())
        )

    @property
    def counts(self) -> dict[str, int]:
        """How many hooks are created, updated, and so on."""
        return {
            str(kind): sum(1 for change in self.changes if change.kind is kind)
            for kind in ChangeKind
        }
