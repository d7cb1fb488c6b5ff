"""What a repository says beside its hooks: ``hookledger.toml`` and ``triggers/*.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from app.domain.documents.toml_documents import TomlDocument
from app.domain.documents.values import parse_milliseconds, refuse_credentials
from app.domain.errors import Problem, Rejected
from app.domain.triggers.catalogue import CONTRACTS, RESERVED
from app.domain.triggers.definitions import (
    MAX_CUSTOM_TRIGGERS,
    MAX_TIMEOUT_MS,
    MIN_TIMEOUT_MS,
    TriggerDefinition,
    parse_definition,
    read_behaviour,
)

REPOSITORY_SETTINGS = "hookledger.toml"
TRIGGERS, SUFFIX = "triggers", ".toml"
DEFAULT_TIMEOUT_MS = 5_000

_OURS = (
    "`{trigger}` is a trigger of Auth0's; say how it works in hookledger.toml, [triggers.{trigger}]"
)


@dataclass(frozen=True, slots=True)
class ManifestDefaults:
    """What holds for hooks that do not say it themselves."""

    timeout_ms: int = DEFAULT_TIMEOUT_MS
    timeouts_ms: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Trigger to the default of its hooks, which goes before the general one."""

    def timeout_of(self, trigger: str) -> int:
        """Return the time that a hook of this trigger has, in milliseconds."""
        return self.timeouts_ms.get(trigger, self.timeout_ms)


@dataclass(frozen=True, slots=True)
class RepositorySettings:
    """The content of these files."""

    defaults: ManifestDefaults = field(default_factory=ManifestDefaults)
    triggers: tuple[TriggerDefinition, ...] = ()
    """Custom triggers, and how those of Auth0 are to work that are named."""

    @property
    def known_triggers(self) -> tuple[str, ...]:
        """Ids that a hook of this repository may name."""
        return tuple(dict.fromkeys((*CONTRACTS, *(trigger.id for trigger in self.triggers))))


def read_repository_settings(
    settings: bytes | None, definitions: Mapping[str, bytes]
) -> RepositorySettings:
    """Read ``hookledger.toml`` (None: there is none) and the files of ``triggers/`` by name.

    Raises ``Rejected`` with every problem of every file.
    """
    problems: list[Problem] = []
    triggers: list[TriggerDefinition] = []
    timeout_ms = DEFAULT_TIMEOUT_MS
    try:
        if settings is not None:
            timeout_ms, said = _parse_settings(settings)
            triggers += said
    except Rejected as refusal:
        problems += refusal.problems
    if len(definitions) > MAX_CUSTOM_TRIGGERS:
        problems.append(
            Problem(f"there are more than {MAX_CUSTOM_TRIGGERS} custom triggers", file=TRIGGERS)
        )
        definitions = {}
    for name, data in sorted(definitions.items()):
        trigger, file = name.removesuffix(SUFFIX), f"{TRIGGERS}/{name}"
        if trigger in RESERVED:
            message = f"is Auth0's; write [triggers.{trigger}] into {REPOSITORY_SETTINGS} instead"
            problems.append(Problem(message, file=file))
            continue
        try:
            triggers.append(parse_definition(file, trigger, data))
        except Rejected as refusal:
            problems += refusal.problems
    if problems:
        raise Rejected("What the repository says of triggers is not valid.", problems=problems)
    timeouts = {t.id: t.timeout_ms for t in triggers if t.timeout_ms is not None}
    defaults = ManifestDefaults(timeout_ms, MappingProxyType(timeouts))
    return RepositorySettings(defaults, tuple(triggers))


def _parse_settings(data: bytes) -> tuple[int, list[TriggerDefinition]]:
    document = TomlDocument.parse(REPOSITORY_SETTINGS, data)
    document.refuse_unknown(document.members, ("defaults", "triggers"))
    document.refuse_unknown(document.table("defaults"), ("timeout",), "defaults")
    refuse_credentials(document)
    timeout_ms = _read_timeout(document)
    named = document.table("triggers")
    document.refuse_unknown(named, RESERVED, "triggers")
    triggers = [read_behaviour(document, name) for name in named if name in RESERVED]
    if document.problems:
        raise Rejected(f"{REPOSITORY_SETTINGS} is not valid.", problems=document.problems)
    return timeout_ms, triggers


def _read_timeout(document: TomlDocument) -> int:
    table = document.table("defaults")
    if "timeout" not in table:
        return DEFAULT_TIMEOUT_MS
    milliseconds = parse_milliseconds(table["timeout"])
    if milliseconds is None:
        document.refuse('must be a duration such as "5s" or "500ms"', "defaults", "timeout")
        return DEFAULT_TIMEOUT_MS
    if not MIN_TIMEOUT_MS <= milliseconds <= MAX_TIMEOUT_MS:
        longest = MAX_TIMEOUT_MS // 1000
        document.refuse(f"must be between {MIN_TIMEOUT_MS}ms and {longest}s", "defaults", "timeout")
    return milliseconds
