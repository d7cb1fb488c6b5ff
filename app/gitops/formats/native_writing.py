"""Hooks in, ``hooks/<trigger>/<name>/hook.toml`` and script out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tomli_w

from app.domain.documents.places import is_file
from app.domain.documents.processes import TABLE as PROCESS
from app.domain.manifests.exports import ExportedHook
from app.domain.manifests.manifest import MANIFEST, TESTS
from app.domain.outcomes import SCRIPT_FILES
from app.domain.triggers.repository_settings import DEFAULT_TIMEOUT_MS
from app.gitops.formats.choice import HOOKS

_MEBIBYTE = 1 << 20
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def write_hooks(
    hooks: Sequence[ExportedHook], warnings: list[str], is_plain: Callable[[str], bool]
) -> dict[str, bytes]:
    """Write each to the folder its source has, or to one named after trigger and hook."""
    files: dict[str, bytes] = {}
    taken: set[str] = set()
    for hook in hooks:
        folder = _folder(hook, taken, is_plain)
        taken.add(folder)
        files[f"{folder}/{MANIFEST}"] = tomli_w.dumps(_manifest(hook, folder)).encode()
        files[f"{folder}/{SCRIPT_FILES[hook.language]}"] = hook.script.encode()
        if TESTS in hook.settings:
            warnings.append(
                f"`{hook.name}` goes live only with fixtures, which a server does not keep: copy "
                "them, and write `[tests] required = true` again"
            )
    return files


def duration(milliseconds: int) -> str:
    """Write a duration as manifests have it."""
    for unit, size in _UNITS[3:]:
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    raise AssertionError("every duration is some milliseconds")


def _folder(hook: ExportedHook, taken: set[str], is_plain: Callable[[str], bool]) -> str:
    known = hook.path
    if known is not None and known.startswith(f"{HOOKS}/") and not is_file(known):
        lies_in_another = any(known.startswith(f"{t}/") or t.startswith(f"{known}/") for t in taken)
        if is_plain(known) and known not in taken and not lies_in_another:
            return known
    return f"{HOOKS}/{hook.trigger}/{hook.name}"


def _manifest(hook: ExportedHook, folder: str) -> dict[str, Any]:
    *_, above, last = folder.split("/")
    settings = hook.settings
    said: dict[str, Any] = {}
    if last != hook.name:
        said["name"] = hook.name
    if above != hook.trigger:
        said["trigger"] = hook.trigger
    said["enabled"] = hook.enabled
    if settings["order"]:
        said["order"] = settings["order"]
    if settings["timeout_ms"] != DEFAULT_TIMEOUT_MS:
        said["timeout"] = duration(settings["timeout_ms"])
    if settings["network"]:
        said["network"] = list(settings["network"])
    if settings["prune"] != "auto":
        said["prune"] = settings["prune"]
    if hook.dependencies:
        said["dependencies"] = dict(sorted(hook.dependencies.items()))
    if required := hook.required_secrets:
        said["secrets"] = {"required": required}
    if PROCESS in settings:
        said[PROCESS] = _process(settings[PROCESS])
    return said


def _process(stored: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: stored[key] for key in ("mode", "concurrency") if key in stored}
    if "memory_bytes" in stored:
        said["memory"] = f"{stored['memory_bytes'] // _MEBIBYTE}MiB"
    if "max_calls" in stored:
        said["max_calls"] = stored["max_calls"]
    if "max_age_ms" in stored:
        age = stored["max_age_ms"]
        said["max_age"] = next(f"{age // size}{u}" for u, size in _UNITS if age % size == 0)
    if "min_ready" in stored:
        said["min_ready"] = stored["min_ready"]
    return said
