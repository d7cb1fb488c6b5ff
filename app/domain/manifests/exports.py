"""Hooks and triggers as a server tells them to whoever takes them elsewhere; no secret values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from app.domain.errors import Rejected
from app.domain.hooks.hook import API_OWNER
from app.domain.hooks.names import check_name
from app.domain.hooks.secrets import check_secrets
from app.domain.outcomes import Language
from app.domain.triggers.catalogue import RESERVED
from app.domain.triggers.definitions import is_trigger_id


@dataclass(frozen=True, slots=True)
class ExportedHook:
    """A hook to be written down."""

    name: str
    trigger: str
    path: str | None
    """Where its source has it, to be kept if the format is the same."""
    language: Language
    script: str
    enabled: bool
    dependencies: Mapping[str, str]
    settings: Mapping[str, Any]
    """As ``HookRow`` has them."""
    secrets: tuple[str, ...]
    """Names of those that are set."""
    owner: str

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> ExportedHook:
        """Read what ``GET /v1/hooks/{id}`` answers; names become places of files, so check them.

        Raises ``Rejected`` for what no server of ours would say.
        """
        try:
            check_secrets(dict.fromkeys(members["secrets"], "any"))
            return cls(
                name=check_name(members["name"]),
                trigger=_checked_trigger(members["trigger"]),
                path=members["path"],
                language=_checked_language(members["language"]),
                script=members["script"],
                enabled=members["enabled"],
                dependencies=members["dependencies"],
                settings=members["settings"],
                secrets=tuple(members["secrets"]),
                owner=members["owner"],
            )
        except (KeyError, TypeError) as error:
            raise Rejected(f"The server's answer cannot be used: {error!r}.") from error

    @property
    def required_secrets(self) -> list[str]:
        """Names without which it should not run; a hook of the API says of none that it is so."""
        required = list(self.settings["required_secrets"])
        return sorted({*required, *self.secrets}) if self.owner == API_OWNER else required

    @property
    def known_secrets(self) -> list[str]:
        """Names that are set, or should be."""
        return sorted({*self.settings["required_secrets"], *self.secrets})


@dataclass(frozen=True, slots=True)
class ExportedTrigger:
    """A trigger that a repository defines, to be written down."""

    id: str
    members: Mapping[str, Any]
    """``title``, ``purpose``, ``blocking``, ``mode``, ``on_error``, ``payload_schema``, …"""

    @property
    def is_custom(self) -> bool:
        """Whether it is none of Auth0's."""
        return self.id not in RESERVED


def exported_triggers(listed: Sequence[Mapping[str, Any]]) -> tuple[ExportedTrigger, ...]:
    """Read what ``GET /v1/triggers`` answers: those that a repository says something of."""
    return tuple(
        ExportedTrigger(_checked_trigger(members["id"]), members)
        for members in listed
        if members["owner"] is not None
    )


def _checked_trigger(trigger: str) -> str:
    if not is_trigger_id(trigger):
        raise Rejected("The server's answer cannot be used: it names an impossible trigger.")
    return trigger


def _checked_language(language: Any) -> Language:
    if language not in get_args(Language):
        raise Rejected(f"Hooks in {language!r} cannot be written down by this version.")
    checked: Language = language
    return checked
