"""Hooks as callers of the API describe them, where git describes them by manifests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.domain.documents.values import is_exact_version, is_package_name
from app.domain.errors import Problem, Rejected
from app.domain.hooks.names import normalised_name
from app.domain.manifests.manifest import MAX_DEPENDENCIES, MAX_SCRIPT_BYTES
from app.domain.outcomes import Language
from app.domain.triggers.definitions import MAX_TIMEOUT_MS

API_LANGUAGE: Language = "node"
"""What Auth0's hooks are written in."""

API_SETTINGS: Mapping[str, Any] = {
    "enabled": False,
    "order": 0,
    "timeout_ms": MAX_TIMEOUT_MS,
    "network": [],
    "required_secrets": [],
    "prune": "auto",
}
"""What a manifest would say. ``enabled`` stays false: nothing stands behind the trigger's word."""


@dataclass(frozen=True, slots=True)
class HookPatch:
    """What is to change of a hook; None leaves it as it is."""

    name: str | None = None
    script: str | None = None
    enabled: bool | None = None
    dependencies: Mapping[str, str] | None = None

    def normalised(self) -> HookPatch:
        """Return it with its name normalised; raise ``Rejected`` if that names no hook."""
        return replace(self, name=normalised_name(self.name)) if self.name is not None else self

    def checked(self) -> HookPatch:
        """Return it with its name normalised; raise ``Rejected`` with everything that is wrong."""
        _check(self.name, self.script, self.dependencies)
        return self.normalised()


@dataclass(frozen=True, slots=True)
class HookDraft:
    """A hook that is to be made."""

    name: str
    trigger: str
    script: str
    enabled: bool = False
    dependencies: Mapping[str, str] = field(default_factory=dict)

    def checked(self) -> HookDraft:
        """Return it with its name normalised; raise ``Rejected`` with everything that is wrong."""
        _check(self.name, self.script, self.dependencies)
        return replace(self, name=normalised_name(self.name))


def _check(name: str | None, script: str | None, dependencies: Mapping[str, str] | None) -> None:
    problems = [
        *_wrong_with_name(name),
        *_wrong_with_script(script),
        *_wrong_with_dependencies(dependencies or {}),
    ]
    if problems:
        raise Rejected("The hook is not valid.", problems=problems)


def _wrong_with_name(name: str | None) -> Iterator[Problem]:
    if name is None:
        return
    try:
        normalised_name(name)
    except Rejected as refusal:
        yield from refusal.problems


def _wrong_with_script(script: str | None) -> Iterator[Problem]:
    """Bound it only: it is never parsed, so that what was saved comes back as it was."""
    if script == "":
        yield Problem("must not be empty", key="script")
    elif script is not None and len(script.encode()) > MAX_SCRIPT_BYTES:
        yield Problem(f"must be at most {MAX_SCRIPT_BYTES} bytes", key="script")


def _wrong_with_dependencies(dependencies: Mapping[str, str]) -> Iterator[Problem]:
    if len(dependencies) > MAX_DEPENDENCIES:
        yield Problem(f"lists more than {MAX_DEPENDENCIES} packages", key="dependencies")
    for package, version in dependencies.items():
        key = f"dependencies.{package}"
        if not is_package_name(package, API_LANGUAGE):
            yield Problem("is no name of an npm package", key=key)
        if not is_exact_version(version, API_LANGUAGE):
            yield Problem("must be one exact version such as 1.2.3, not a range", key=key)
