"""Hooks in, folders of the Deploy CLI out; secrets as the placeholder that leaves them alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from app.domain.documents.processes import TABLE as PROCESS
from app.domain.hooks.secrets import MASK
from app.domain.manifests.exports import ExportedHook
from app.domain.manifests.manifest import TESTS
from app.domain.triggers.definitions import MAX_TIMEOUT_MS
from app.gitops.formats.choice import HOOKS
from app.gitops.formats.keywords import markers
from app.gitops.formats.native_writing import duration

_SUFFIXES = {"node": ".js", "python": ".py"}
_TENANT = "tenant.yaml"
_YAML = (".yaml", ".yml")


def write_directory(
    hooks: Sequence[ExportedHook], warnings: list[str], is_plain: Callable[[str], bool]
) -> dict[str, bytes]:
    """Write ``hooks/<name>.json`` and the script beside it; a file keeps the name it has."""
    files: dict[str, bytes] = {}
    for hook in hooks:
        manifest = f"{HOOKS}/{hook.name}.json"
        known = hook.path or ""
        if known.startswith(f"{HOOKS}/") and known.count("/") == 1 and known.endswith(".json"):
            manifest = known if is_plain(known) and known not in files else manifest
        stem = manifest.removesuffix(".json").removeprefix(f"{HOOKS}/")
        script = f"{stem}{_SUFFIXES[hook.language]}"
        said = json.dumps(_members(hook, f"./{script}", warnings), indent=2, ensure_ascii=False)
        files[manifest] = f"{said}\n".encode()
        files[f"{HOOKS}/{script}"] = hook.script.encode()
    return files


def write_yaml(
    hooks: Sequence[ExportedHook], warnings: list[str], is_plain: Callable[[str], bool]
) -> dict[str, bytes]:
    """Write one list, and the scripts below ``hooks``."""
    files: dict[str, bytes] = {}
    listed = []
    for hook in hooks:
        script = f"{HOOKS}/{hook.name}{_SUFFIXES[hook.language]}"
        files[script] = hook.script.encode()
        listed.append(_members(hook, f"./{script}", warnings))
    text = yaml.safe_dump({HOOKS: listed}, sort_keys=False, allow_unicode=True, width=1000)
    known = {hook.path or "" for hook in hooks}
    kept = known.pop() if len(known) == 1 else ""
    is_list = kept.endswith(_YAML) and "/" not in kept and is_plain(kept)
    files[kept if is_list else _TENANT] = text.encode()
    return files


def _members(hook: ExportedHook, script: str, warnings: list[str]) -> dict[str, Any]:
    if found := markers(hook.script):
        warnings.append(
            f"the script of `{hook.name}` holds what these formats take for markers: "
            f"{', '.join(sorted(set(found)))}"
        )
    warnings += [
        f"`{hook.name}` says [{key}], which these formats cannot say"
        for key in (PROCESS, TESTS)
        if key in hook.settings
    ]
    if hook.settings["prune"] != "auto":
        warnings.append(f"`{hook.name}` is protected by `prune`, which these formats cannot say")
    said: dict[str, Any] = {
        "name": hook.name,
        "triggerId": hook.trigger,
        "enabled": hook.enabled,
        "script": script,
        "dependencies": dict(sorted(hook.dependencies.items())),
    }
    if hook.known_secrets:
        said["secrets"] = dict.fromkeys(hook.known_secrets, MASK)
    if hook.settings["network"]:
        said["network"] = list(hook.settings["network"])
    if hook.settings["timeout_ms"] != MAX_TIMEOUT_MS:
        said["timeout"] = duration(hook.settings["timeout_ms"])
    if hook.settings["order"]:
        said["order"] = hook.settings["order"]
    return said
