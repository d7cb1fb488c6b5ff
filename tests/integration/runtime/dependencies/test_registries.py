"""A small sample against the real registries, with tiny packages."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.domain.documents.packages import PackageSet
from app.runtime.node_binary import find_node
from config.settings import registry_variables

WHEELS = PackageSet.of("python", {"six": "1.16.0", "msgpack": "1.1.0"})
MODULES = PackageSet.of("node", {"is-number": "7.0.0", "semver": "7.5.4"})


@pytest.fixture
def cache(make_cache: Any) -> Any:
    return make_cache(registries=registry_variables())


def resolved(root: Path, cache: Any, wanted: PackageSet) -> dict[str, str]:
    listed = json.loads((root / cache.folder(wanted) / "resolved.json").read_text())["resolved"]
    assert all(one["integrity"].startswith("sha") for one in listed)
    return {one["name"]: one["version"] for one in listed}


def test_packages_of_both_registries_are_installed_and_can_be_loaded(
    cache: Any, root: Path
) -> None:
    assert asyncio.run(cache.ensure([WHEELS, MODULES])) == {}
    assert resolved(root, cache, WHEELS) == {"six": "1.16.0", "msgpack": "1.1.0"}
    assert resolved(root, cache, MODULES) == {
        "is-number": "7.0.0",
        "lru-cache": "6.0.0",
        "semver": "7.5.4",
        "yallist": "4.0.0",
    }
    folder = root / cache.folder(WHEELS)
    code = (
        f"import sys; sys.path.append({str(folder)!r}); import six, msgpack, msgpack._cmsgpack\n"
        "print(six.__version__, msgpack.unpackb(msgpack.packb([1])), six.__cached__)"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("1.16.0 [1] ")
    assert Path(said.split()[-1]).is_file()  # compiled, since nobody can do so later
    folder = root / cache.folder(MODULES)
    said = subprocess.run(
        [str(find_node()), "-p", "require('semver').valid('1.2.3') + require('is-number')('7')"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == "1.2.3true\n"


def test_versions_and_packages_that_do_not_exist_are_all_named(cache: Any) -> None:
    python = PackageSet.of("python", {"six": "99.0.0", "hookledger-no-such-package": "1.0"})
    node = PackageSet.of("node", {"is-number": "99.0.0", "hookledger-no-such-package": "1.0.0"})
    found = asyncio.run(cache.ensure([python, node]))
    messages = sorted(problem.message for problem in found[python])
    assert messages[0] == "PyPI has no package hookledger-no-such-package"
    assert messages[1].startswith(
        "PyPI has no version 99.0.0 of six as a wheel for this Python; the newest it offers is 1."
    )
    assert {problem.message for problem in found[node]} == {
        "npm has no version 99.0.0 of is-number",
        "npm has no package hookledger-no-such-package",
    }
