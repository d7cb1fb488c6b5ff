"""From what the Deploy CLI's files say to desired hooks, or every problem with file and line.

Members: ``name``, ``triggerId``, ``script``, ``enabled``, ``dependencies``, ``secrets``; ``id`` is
ignored. ``network``, ``timeout`` and ``order`` are ours, and mean what they mean in ``hook.toml``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from app.domain.documents.values import (
    is_exact_version,
    is_package_name,
)
from app.domain.errors import Problem, Rejected
from app.domain.hooks.names import normalised_name
from app.domain.hooks.secrets import MASK, MAX_SECRETS_PER_HOOK, check_secret
from app.domain.manifests.manifest import (
    MAX_DEPENDENCIES,
    MAX_SCRIPT_BYTES,
)
from app.domain.outcomes import Language
from app.domain.plans.plan import DesiredHook
from app.domain.triggers.catalogue import languages_of
from app.gitops.formats import auth0_directory, auth0_yaml
from app.gitops.formats.auth0_items import HookItem, find_script
from app.gitops.formats.auth0_members import Members, is_encodable
from app.gitops.formats.choice import Chosen
from app.gitops.formats.documents import decode
from app.gitops.formats.files import Files
from app.gitops.formats.keywords import Keywords, Unresolved, is_marked

LANGUAGES: Mapping[str, Language] = {".js": "node", ".py": "python"}
_MEMBERS = (
    *("name", "triggerId", "script", "enabled", "dependencies", "secrets", "id"),
    *("network", "timeout", "order"),
)


def read_items(files: Files, chosen: Chosen) -> tuple[list[HookItem], list[Problem]]:
    """Return what files of either format describe; raise ``Rejected`` if they cannot be read."""
    if chosen.file is not None:
        return auth0_yaml.read_items(files, chosen.file)
    return auth0_directory.read_items(files)


def read_hooks(
    files: Files, chosen: Chosen, keywords: Keywords, known_triggers: Collection[str]
) -> list[DesiredHook]:
    """Return every hook; raise ``Rejected`` with all that is wrong with any."""
    items, problems = read_items(files, chosen)
    hooks: list[DesiredHook] = []
    for item in items:
        reading = _Reading(item, files, keywords, known_triggers)
        try:
            hooks.append(reading.hook())
        except Rejected as refusal:
            problems += refusal.problems
    problems += _shared_names(zip(items, hooks, strict=True) if not problems else ())
    if problems:
        raise Rejected("The hooks are not valid.", problems=problems)
    return hooks


def _shared_names(hooks: Iterable[tuple[HookItem, DesiredHook]]) -> Iterator[Problem]:
    claims = defaultdict(list)
    for item, hook in hooks:
        claims[hook.name].append(item)
    for name, items in claims.items():
        if len(items) > 1:
            for item in items:
                others = " and ".join(sorted({other.file for other in items}))
                yield item.problem(f"the name `{name}` is claimed twice, in {others}", "name")


class _Reading:
    """One item, judged. What a keyword stands for is never shown: it may be a secret."""

    def __init__(
        self, item: HookItem, files: Files, keywords: Keywords, known: Collection[str]
    ) -> None:
        self._item = item
        self._files = files
        self._keywords = keywords
        self._known = known
        self._members = Members(item, keywords)
        self._refuse = self._members.refuse

    def hook(self) -> DesiredHook:
        self._members.refuse_unknown(_MEMBERS)
        name, trigger = self._name(), self._trigger()
        place, language, script = self._script()
        if script and trigger and language not in (fit := languages_of(trigger)):
            self._refuse(f"hooks of this trigger are written for {' or '.join(fit)}", "script")
        dependencies = self._dependencies(language)
        secrets = self._secrets()
        settings: dict[str, Any] = {
            "enabled": self._members.flag("enabled"),
            "order": self._members.order(),
            "timeout_ms": self._members.timeout(),
            "network": self._members.network(),
            "required_secrets": sorted(secrets or ()),
            "prune": "auto",
        }
        if self._members.problems:
            raise Rejected("The hook is not valid.", problems=self._members.problems)
        return DesiredHook(
            name=name,
            trigger=trigger,
            path=self._item.file,
            language=language,
            script=script,
            script_file=place,
            dependencies=dependencies,
            settings=settings,
            secrets=secrets,
        )

    def _name(self) -> str:
        if not (spoken := self._members.text("name")):
            return ""
        try:
            return normalised_name(spoken)
        except Rejected as refusal:
            for problem in refusal.problems:
                self._refuse(problem.message, "name")
            return ""

    def _trigger(self) -> str:
        trigger = self._members.text("triggerId")
        if trigger and trigger not in self._known:
            listed = ", ".join(self._known)
            self._refuse(f"is no trigger of this server; known are: {listed}", "triggerId")
            return ""
        return trigger

    def _script(self) -> tuple[str, Language, str]:
        nothing: tuple[str, Language, str] = ("", "node", "")
        written = self._members.text("script")
        if not written:
            return nothing
        language = LANGUAGES.get(written[written.rfind(".") :])
        if language is None:
            self._refuse(f"must be the place of a file, {' or '.join(LANGUAGES)}", "script")
            return nothing
        try:
            found = find_script(self._files, self._item, written, MAX_SCRIPT_BYTES)
            if found is None:
                self._refuse("there is no such file in the followed folder", "script")
                return nothing
            place, content = found
            script = self._keywords.resolve_script(place, decode(place, content))
        except Rejected as refusal:
            self._members.problems += refusal.problems
            return nothing
        if not script.strip() or len(script.encode()) > MAX_SCRIPT_BYTES:
            limit = MAX_SCRIPT_BYTES // 1024
            message = f"must not be empty, nor more than {limit} KiB with its keywords"
            self._members.problems.append(Problem(message, file=place))
        return place, language, script

    def _dependencies(self, language: Language) -> dict[str, str]:
        value = self._members.value("dependencies") or {}
        if not isinstance(value, dict) or len(value) > MAX_DEPENDENCIES:
            most = f"of at most {MAX_DEPENDENCIES} packages"
            self._refuse(f"must be an object {most}, each with its version", "dependencies")
            return {}
        for package, version in value.items():
            if not is_package_name(package, language):
                self._refuse(f"is no package name for {language}", "dependencies", package)
            if not is_exact_version(version, language):
                self._refuse('must be one exact version, e.g. "1.2.3"', "dependencies", package)
        return dict(value)

    def _secrets(self) -> dict[str, str | None] | None:
        """Return the values: None for one that stays; None for all if nothing is said."""
        raw = self._item.members.get("secrets")
        if raw is None:
            return None
        if not isinstance(raw, dict):
            raw_is_marked = isinstance(raw, str) and is_marked(raw)
            resolved = self._members.value("secrets", {}) if raw_is_marked else None
            if not isinstance(resolved, dict):
                self._refuse("must be an object, names with values", "secrets")
                return None
            return {name: self._checked(name, value) for name, value in resolved.items()}
        if len(raw) > MAX_SECRETS_PER_HOOK:
            self._refuse(f"are more than {MAX_SECRETS_PER_HOOK}, which a hook may have", "secrets")
        return {name: self._secret(name, value) for name, value in raw.items()}

    def _secret(self, name: str, raw: Any) -> str | None:
        if raw == MASK:
            return self._checked(name, MASK)
        if not isinstance(raw, str) or not is_marked(raw):
            self._refuse(
                "values of secrets may not stand in the repository: write a keyword marker, "
                f'"##{_keyword_for(name)}##", and give its value in the setting `keywords`; if '
                "this was a real value, treat it as leaked, since git's history keeps it",
                *("secrets", name),
            )
            return None
        try:
            value = self._keywords.resolve(raw)
        except Unresolved as missing:
            self._refuse(str(missing), "secrets", name)
            return None
        return self._checked(name, value)

    def _checked(self, name: str, value: Any) -> str | None:
        if not isinstance(value, str) or not is_encodable(value):
            self._refuse("must be a text; quote numbers in the setting `keywords`", "secrets", name)
            return None
        try:
            check_secret(name, value)
        except Rejected as refusal:
            for problem in refusal.problems:
                self._refuse(problem.message, "secrets", name)
        return None if value == MASK else value


def _keyword_for(name: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in name).upper()
