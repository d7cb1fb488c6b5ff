"""Write hooks down in one of the formats: what a reader makes of the files is what was given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tomli_w

from app.domain.manifests.exports import ExportedHook, ExportedTrigger
from app.domain.triggers.repository_settings import REPOSITORY_SETTINGS, SUFFIX, TRIGGERS
from app.gitops.formats import auth0_writing, native_writing
from app.gitops.formats.choice import HOOKS, Format

_BEHAVIOUR = {"mode": "single", "on_error": "closed"}
_PLACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*(?:/[A-Za-z0-9_][A-Za-z0-9_. -]*)*\Z")


@dataclass(frozen=True, slots=True)
class Written:
    """Files by place, and what of the hooks these cannot say."""

    files: Mapping[str, bytes]
    warnings: tuple[str, ...] = field(default=())


def write(
    kind: Format, hooks: Sequence[ExportedHook], triggers: Sequence[ExportedTrigger] = ()
) -> Written:
    """Write hooks and the triggers that a repository defines; the same always gives the same."""
    ordered = sorted(hooks, key=lambda hook: hook.name)
    warnings: list[str] = []
    files = _write_triggers(triggers, warnings)
    if kind == "native":
        files |= native_writing.write_hooks(ordered, warnings, _is_plain)
    elif kind == "auth0-yaml":
        files |= auth0_writing.write_yaml(ordered, warnings, _is_plain)
    else:
        files |= auth0_writing.write_directory(ordered, warnings, _is_plain)
    if not any(place.startswith(f"{HOOKS}/") for place in files) and kind != "auth0-yaml":
        files[f"{HOOKS}/README.md"] = b"There are no hooks. This file keeps the folder.\n"
    return Written(dict(sorted(files.items())), tuple(warnings))


def _is_plain(place: str) -> bool:
    """Tell whether a place that a server names may be written to."""
    return _PLACE.match(place) is not None and len(place) < 512  # noqa: PLR2004 (any bound)


def _write_triggers(triggers: Sequence[ExportedTrigger], warnings: list[str]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    ours: dict[str, Any] = {}
    for trigger in triggers:
        behaviour = {
            key: trigger.members[key]
            for key, default in _BEHAVIOUR.items()
            if trigger.members[key] != default
        }
        if not trigger.is_custom:
            ours[trigger.id] = behaviour
            continue
        try:
            files[f"{TRIGGERS}/{trigger.id}{SUFFIX}"] = _definition(trigger, behaviour)
        except TypeError:
            warnings.append(
                f"trigger `{trigger.id}` has a JSON Schema with null, which TOML cannot say"
            )
    if ours:
        files[REPOSITORY_SETTINGS] = tomli_w.dumps({"triggers": ours}).encode()
    return files


def _definition(trigger: ExportedTrigger, behaviour: Mapping[str, Any]) -> bytes:
    members = {key: trigger.members[key] for key in ("title", "purpose") if trigger.members[key]}
    if not trigger.members["blocking"]:
        members["blocking"] = False
    members |= behaviour
    for key, schema in (("payload", "payload_schema"), ("result", "result_schema")):
        if trigger.members[schema] is not None:
            members[key] = trigger.members[schema]
    return tomli_w.dumps(members).encode()
