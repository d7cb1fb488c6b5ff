"""Which format a repository is in: as the operator says, or by what stands there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from app.domain.errors import Problem, Rejected
from app.gitops.formats.files import Files

Format = Literal["native", "auth0-directory", "auth0-yaml"]

HOOKS = "hooks"
MAX_YAML_BYTES = 1024 * 1024

_TENANT = ("tenant.yaml", "tenant.yml")
_DIRECTORY_TENANT = "tenant.json"
_YAML = (".yaml", ".yml")
_TRIGGER_MEMBER = re.compile(rb'"triggerId"\s*:')
_HOOKS_KEY = re.compile(rb"^hooks[ \t]*:", re.MULTILINE)
_MAX_YAML_FILES = 50


@dataclass(frozen=True, slots=True)
class FormatSettings:
    """What the operator says of a source's format."""

    format: Format | Literal["auto"] = "auto"
    keywords: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Values (as JSON has them) for the markers ``@@KEY@@`` and ``##KEY##`` of the Deploy CLI."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A format, and the file that holds the list of hooks if it has one."""

    format: Format
    file: str | None = None


def choose(files: Files, settings: FormatSettings) -> Chosen:
    """Tell in which format ``files`` are; raise ``Rejected`` when that is not certain."""
    if settings.format in {"native", "auth0-directory"}:
        return Chosen(settings.format)
    lists = _lists(files)
    if settings.format == "auth0-yaml":
        return Chosen("auth0-yaml", _only(lists))
    return _recognised(files, lists)


def _recognised(files: Files, lists: list[str]) -> Chosen:
    names = files.names(HOOKS)
    found: dict[Format, str] = {}
    for place in (f"{HOOKS}/{name}" for name in names if name.endswith(".json")):
        if _holds(files, place, _TRIGGER_MEMBER):
            found["auth0-directory"] = place
            break
    if not found and _DIRECTORY_TENANT in files.names(""):
        found["auth0-directory"] = _DIRECTORY_TENANT
    if lists:
        found["auth0-yaml"] = lists[0]
    if found or any(name.endswith((".js", ".json")) for name in names):
        # Only where there is doubt: nothing is walked for a repository of ours.
        native = files.first_manifest(HOOKS)
        if native is not None:
            found["native"] = native
        if len(found) != 1:
            raise _uncertain(found)
    chosen: Format = next(iter(found), "native")
    return Chosen(chosen, _only(lists) if chosen == "auth0-yaml" else None)


def _uncertain(found: Mapping[Format, str]) -> Rejected:
    if found:
        seen = " and ".join(f"`{file}` ({kind})" for kind, file in found.items())
        message = f"may be in several formats: there is {seen}"
    else:
        message = "holds files, but nothing that describes a hook: no hook.toml, no triggerId"
    hint = "say which it is by the setting repo_format, or move what does not belong here"
    return Rejected("The format is not certain.", problems=[Problem(f"{message}; {hint}", HOOKS)])


def _lists(files: Files) -> list[str]:
    """Find the YAML files that hold a list of hooks; the Deploy CLI's own name goes first."""
    names = files.names("")
    for name in _TENANT:
        if name in names:
            return [name]
    candidates = [n for n in sorted(names) if n.endswith(_YAML) and not n.startswith(".")]
    return [name for name in candidates[:_MAX_YAML_FILES] if _holds(files, name, _HOOKS_KEY)]


def _holds(files: Files, place: str, sign: re.Pattern[bytes]) -> bool:
    """Tell whether a file bears a sign; one that may not be read is another tool's."""
    try:
        return sign.search(files.read(place, MAX_YAML_BYTES) or b"") is not None
    except Rejected:
        return False


def _only(lists: list[str]) -> str:
    if len(lists) == 1:
        return lists[0]
    if lists:
        problems = [Problem("holds a list of hooks, but only one file may", file) for file in lists]
    else:
        problems = [Problem("there is no tenant.yaml, nor another YAML file with a list `hooks:`")]
    raise Rejected("The list of hooks was not found.", problems=problems)
