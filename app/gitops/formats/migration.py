"""From a folder of the Deploy CLI to our own layout, with a list of what needs a person."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from app.domain.documents.values import is_exact_version, is_package_name
from app.domain.errors import Problem, Rejected
from app.domain.hooks.names import MAX_NAME_LENGTH
from app.domain.hooks.secrets import check_secret
from app.domain.manifests.auth0_scripts import (
    addresses_in,
    calls_elsewhere,
    differences_in,
    packages_in,
)
from app.domain.manifests.exports import ExportedHook
from app.domain.manifests.manifest import MAX_SCRIPT_BYTES
from app.domain.triggers.catalogue import CONTRACTS, OPTIONAL
from app.domain.triggers.definitions import MAX_TIMEOUT_MS
from app.domain.triggers.repository_settings import REPOSITORY_SETTINGS
from app.gitops.formats import native_writing
from app.gitops.formats.auth0_hooks import LANGUAGES, read_items
from app.gitops.formats.auth0_items import HookItem, find_script
from app.gitops.formats.choice import HOOKS, Chosen
from app.gitops.formats.documents import decode
from app.gitops.formats.files import Files
from app.gitops.formats.keywords import Keywords, Unresolved, shown

_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?")
_NOT_A_NAME = re.compile(r"[^a-z0-9-]+")
_LEFT = "not-migrated"
_OTHERS = ("actions", "rules")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person must do, or decide."""

    kind: str
    """secret, package, trigger, name, enabled, script, network, keyword, not-migrated."""
    message: str
    hook: str | None = None
    """Its new name."""
    file: str | None = None
    """In the export."""
    line: int | None = None
    command: str | None = None
    """What does it, to be typed."""


@dataclass(slots=True)
class Migration:
    """Files by place, the hooks in them, and the findings."""

    files: dict[str, bytes] = field(default_factory=dict)
    hooks: list[ExportedHook] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def described(self) -> dict[str, Any]:
        """Return what a report holds."""
        hooks = [{"name": h.name, "trigger": h.trigger, "enabled": h.enabled} for h in self.hooks]
        found = [asdict(finding) for finding in self.findings]
        return {"hooks": hooks, "findings": found, "files": sorted(self.files)}


def migrate(files: Files, chosen: Chosen, keywords: Mapping[str, Any]) -> Migration:
    """Turn every hook of an export into our layout; raise ``Rejected`` if nothing can be read."""
    items, problems = read_items(files, chosen)
    made = Migration()
    for problem in problems:
        made.findings.append(_left_out(problem))
    networks: dict[str, list[str]] = {}
    for item in items:
        move = _Move(item, files, Keywords(keywords), made)
        try:
            hook = move.hook()
        except Rejected as refusal:
            made.findings += [_left_out(problem) for problem in refusal.problems]
        else:
            made.hooks.append(hook)
            networks[hook.name] = addresses_in(hook.script)
    made.files |= native_writing.write_hooks(made.hooks, [], lambda _: False)
    for hook in made.hooks:
        _suggest_network(made.files, hook, networks[hook.name])
    switched = sorted({hook.trigger for hook in made.hooks} & OPTIONAL.keys())
    if switched:
        text = "".join(f"[triggers.{trigger}]\n" for trigger in switched)
        made.files[REPOSITORY_SETTINGS] = text.encode()
    if not any(place.startswith(f"{HOOKS}/") for place in made.files):
        made.files[f"{HOOKS}/README.md"] = b"There were no hooks to move.\n"
    made.findings += _no_hooks(files)
    made.findings.sort(key=lambda f: (f.hook is None, f.hook or "", f.kind, f.line or 0))
    return made


def _left_out(problem: Problem) -> Finding:
    message = f"{problem.key}: {problem.message}" if problem.key else problem.message
    return Finding("not-migrated", message, file=problem.file, line=problem.line)


def _suggest_network(files: dict[str, bytes], hook: ExportedHook, addresses: list[str]) -> None:
    if addresses:
        place = f"{HOOKS}/{hook.trigger}/{hook.name}/hook.toml"
        listed = ", ".join(f'"{address}"' for address in addresses)
        hint = (
            "# The script seems to call these. Remove the `#` if it may; without it, it cannot.\n"
            f"# network = [{listed}]\n\n"
        )
        files[place] = hint.encode() + files[place]


def _no_hooks(files: Files) -> Iterator[Finding]:
    for folder in _OTHERS:
        for name in files.names(folder):
            if name.endswith(".json"):
                message = f"{folder} are no hooks; a hook must be written anew for it"
                yield Finding("not-migrated", message, file=f"{folder}/{name}")


class _Move:
    """One hook on its way: what cannot go as it is becomes a finding."""

    def __init__(self, item: HookItem, files: Files, keywords: Keywords, made: Migration) -> None:
        self._item = item
        self._files = files
        self._keywords = keywords
        self._made = made
        self._name = ""

    def hook(self) -> ExportedHook:
        """Return what is moved; raise ``Rejected`` for a hook that cannot be."""
        self._name = self._new_name()
        trigger = self._trigger()
        place, text = self._script()
        self._report_script(place, text)
        secrets = self._secrets()
        return ExportedHook(
            name=self._name,
            trigger=trigger,
            path=None,
            language=LANGUAGES[place[place.rfind(".") :]],
            script=text,
            enabled=self._enabled(trigger),
            dependencies=self._dependencies(place, text),
            settings={
                "enabled": False,
                "order": 0,
                "timeout_ms": MAX_TIMEOUT_MS,
                "network": [],
                "required_secrets": secrets,
                "prune": "auto",
            },
            secrets=(),
            owner="source",
        )

    def _find(
        self,
        kind: str,
        message: str,
        *path: str | int,
        command: str | None = None,
        place: tuple[str, int] | None = None,
    ) -> None:
        file, line = place or (self._item.file, self._item.problem("", *path).line or 1)
        self._made.findings.append(Finding(kind, message, self._name, file, line, command))

    def _member(self, key: str) -> Any:
        """Return a member; where a marker has no value, as it is written."""
        raw = self._item.members.get(key)
        try:
            return self._keywords.resolve(raw)
        except Unresolved as missing:
            self._find("keyword", str(missing), key)
            return shown(raw)

    def _refuse(self, message: str, *path: str | int) -> Rejected:
        problem = self._item.problem(message, *path)
        return Rejected("The hook cannot be moved.", problems=[problem])

    def _new_name(self) -> str:
        spoken = self._member("name")
        if not isinstance(spoken, str):
            raise self._refuse("must be a text, and must be given", "name")
        plain = _NOT_A_NAME.sub("-", spoken.lower()).strip("-")[: MAX_NAME_LENGTH - 4].rstrip("-")
        wanted = name = plain or "hook"
        taken = {hook.name for hook in self._made.hooks}
        number = 2
        while name in taken:
            name, number = f"{wanted}-{number}", number + 1
        if name != spoken:
            self._name = name
            self._find(
                "name", f"was called `{shown(spoken)}`; callers of its name must follow", "name"
            )
        return name

    def _trigger(self) -> str:
        trigger = self._member("triggerId")
        if isinstance(trigger, str) and (trigger in CONTRACTS or trigger in OPTIONAL):
            return trigger
        place, text = self._script()
        self._made.files[f"{_LEFT}/{self._name}{place[place.rfind('.') :]}"] = text.encode()
        raise self._refuse(
            f"no such trigger here, known are {', '.join(CONTRACTS)}; its script is in {_LEFT}/",
            "triggerId",
        )

    def _script(self) -> tuple[str, str]:
        written = self._member("script")
        if not isinstance(written, str) or written[written.rfind(".") :] not in LANGUAGES:
            raise self._refuse(f"must be the place of a file, {' or '.join(LANGUAGES)}", "script")
        found = find_script(self._files, self._item, written, MAX_SCRIPT_BYTES)
        if found is None:
            raise self._refuse("there is no such file in the export", "script")
        place, content = found
        text = decode(place, content)
        if not text.strip():
            raise Rejected("It is empty.", problems=[Problem("is empty", file=place)])
        try:
            return place, self._keywords.resolve_script(place, text)
        except Rejected as refusal:
            for problem in refusal.problems:
                self._find("keyword", problem.message, place=(place, problem.line or 1))
            return place, text

    def _report_script(self, place: str, text: str) -> None:
        for line, message in differences_in(text):
            self._find("script", message, place=(place, line))
        if addresses := addresses_in(text):
            listed = ", ".join(f'"{address}"' for address in addresses)
            message = f"seems to call other systems; its manifest suggests network = [{listed}]"
            self._find("network", message, place=(place, 1))
        if (at := calls_elsewhere(text)) is not None:
            message = "calls an address that is not constant; list it in `network` as host:port"
            self._find("network", message, place=(place, at))

    def _secrets(self) -> list[str]:
        raw = self._item.members.get("secrets") or {}
        named = raw if isinstance(raw, dict) else self._member("secrets")
        names: list[str] = []
        for name in named if isinstance(named, dict) else ():
            try:
                check_secret(name, "any")
            except Rejected:
                self._find("secret", f"`{shown(name)}` cannot name a secret here", "secrets", name)
                continue
            names.append(name)
            command = f"hookledger secrets set {self._name} {name}"
            self._find("secret", f"`{name}` must be set", "secrets", name, command=command)
        return sorted(names)

    def _enabled(self, trigger: str) -> bool:
        if self._member("enabled") not in (True, "true"):
            return False
        first = next((h for h in self._made.hooks if h.enabled and h.trigger == trigger), None)
        if first is not None:
            message = (
                f"was enabled, as `{first.name}` is; here one hook of a trigger runs, so this one "
                'is not enabled. Or let both run in turn: mode = "chain" in hookledger.toml'
            )
            self._find("enabled", message, "enabled")
        return first is None

    def _dependencies(self, place: str, text: str) -> dict[str, str]:
        language = LANGUAGES[place[place.rfind(".") :]]
        said = self._member("dependencies")
        pinned: dict[str, str] = {}
        for name, version in (said if isinstance(said, dict) else {}).items():
            if not is_package_name(name, language):
                self._find("package", f"`{shown(name)}` is no package name", "dependencies", name)
            elif is_exact_version(version, language):
                pinned[name] = version
            elif found := _VERSION.search(version) if isinstance(version, str) else None:
                pinned[name] = found[0]
                message = f"`{name}` was `{version}`; now {found[0]}, as a version must be exact"
                self._find("package", message, "dependencies", name)
            else:
                message = f"`{name}` has no version (`{version}`); add one to [dependencies]"
                self._find("package", message, "dependencies", name)
        for required in packages_in(text) if language == "node" else ():
            if required.name in pinned or not is_package_name(required.name, language):
                continue
            if is_exact_version(required.version, language):
                pinned[required.name] = required.version
            else:
                message = (
                    f"`{required.name}` is required but not listed (Auth0 had it installed); add "
                    "it with a version to [dependencies]"
                )
                self._find("package", message, place=(place, required.line))
        return pinned
