"""What a confined worker is told to run, once, before it takes calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from app.domain.outcomes import SCRIPT_FILES, HookVersion


def write_load(
    version: HookVersion,
    secrets: Mapping[str, str],
    *,
    packages: str | None,
    egress: Mapping[str, Any] | None,
    checks: bool,
) -> bytes:
    """Write a LOAD message's body; ``packages`` is a folder's path as the worker sees it.

    ``egress`` is what it is told of its proxy, if it has one.
    """
    message = {
        "script": version.script,
        "file": SCRIPT_FILES[version.language],
        "name": version.name,
        "parameters": version.parameters,
        "packages": packages,
        "secrets": dict(secrets),
        "egress": egress,
        "log_bytes": version.limits.log_bytes_per_call,
        "checks": checks,
    }
    if version.language == "node":
        message |= {
            "language": version.language,
            "trigger": version.trigger,
            "meta": {"hook-name": version.name, "auth0-extension-name": version.trigger},
        }
    return json.dumps(message).encode()
