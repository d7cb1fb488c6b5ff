"""How a clean interpreter is started: no environment, no site packages, no code but ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import orjson

from app.domain.errors import Stalled

# What modules want done in a fork is to free the locks of threads that are not there; here there
# are none, and each worker would copy 300 kB for it that it can share. Folders are appended, so
# that no package can stand in for a module of the standard library.
_BOOT = (
    "import os; os.register_at_fork = lambda **_: None;"
    "import sys, json; sys.path += json.loads(sys.argv[3]);"
    "import importlib; importlib.import_module(sys.argv[4]).main(*sys.argv[1:4])"
)

ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1", "LC_CTYPE": "C.UTF-8"}
"""Threads would reserve 64 MB of address space each for an arena of their own."""


def command(module: str, first: str, second: str) -> list[str]:
    """Return the command that runs ``module.main(first, second, folders)``, isolated."""
    if not sys.executable:
        raise Stalled("The path of the Python interpreter is unknown, so no worker can be started.")
    packages = sorted({str(_root_of("app.runtime")), str(Path(orjson.__file__).parent.parent)})
    given = [first, second, json.dumps(packages), module]
    return [sys.executable, "-I", "-S", "-B", "-c", _BOOT, *given]


def _root_of(package: str) -> Path:
    return Path(__file__).resolve().parents[package.count(".") + 1]
