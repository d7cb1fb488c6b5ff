"""Caches in a temporary folder, with installers that are scripts of a few lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from app.domain.documents.packages import PackageSet
from app.runtime.dependencies.cache import PackageCache
from app.runtime.dependencies.npm import NpmInstaller
from app.runtime.dependencies.pip import PipInstaller
from app.runtime.dependencies.processes import Limits

MakeCache = Callable[..., PackageCache]
MakeProgram = Callable[[str], Path]

PIP = """
import json, os, sys, time
from pathlib import Path

args = sys.argv[1:]
if "compileall" in args:
    sys.exit(0)
target, report = (Path(args[args.index(name) + 1]) for name in ("--target", "--report"))
wanted = dict(one.split("==") for one in args[args.index("--") + 1 :])

def install():
    for name in wanted:
        (target / f"{name}.py").write_text("x = 1")
    hashes = {"sha256": "ab"}
    report.write_text(json.dumps({"install": [
        {"metadata": {"name": name, "version": version}, "is_direct": False,
         "download_info": {"archive_info": {"hashes": hashes}}}
        for name, version in wanted.items()
    ]}))
"""

NODE = """
import json, sys, time
from pathlib import Path

args = sys.argv[1:]
if args == ["--version"]:
    print("v22.1.0")
    sys.exit(0)
wanted = json.loads(Path("package.json").read_text())["dependencies"]

def install(**more):
    packages = {"": {}}
    for name, version in wanted.items():
        path = f"node_modules/{name}"
        Path(path).mkdir(parents=True)
        packages[path] = {"version": version, "integrity": "sha512-x"} | more
    Path("package-lock.json").write_text(json.dumps({"packages": packages}))
"""


@pytest.fixture
def fake_python(tmp_path: Path) -> MakeProgram:
    """Make a Python whose pip does what ``body`` says; `install()` succeeds."""

    def make(body: str) -> Path:
        return _program(tmp_path / "python", PIP + body)

    return make


@pytest.fixture
def fake_node(tmp_path: Path) -> MakeProgram:
    """Make a Node.js whose npm does what ``body`` says; `install()` succeeds."""

    def make(body: str) -> Path:
        script = tmp_path / "node/lib/node_modules/npm/bin/npm-cli.js"
        script.parent.mkdir(parents=True)
        script.touch()
        (tmp_path / "node/bin").mkdir()
        return _program(tmp_path / "node/bin/node", NODE + body)

    return make


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "packages"


@pytest.fixture
def make_cache(root: Path) -> MakeCache:
    def make(
        *,
        python: Path | str = sys.executable,
        node: Path | str = "",
        seconds: float = 60.0,
        size: int = 32 << 20,
        files: int = 5000,
        registries: Mapping[str, str] | None = None,
        on_install: Callable[[int, int, PackageSet], None] = lambda *_: None,
    ) -> PackageCache:
        return PackageCache(
            root,
            {"python": PipInstaller(str(python)), "node": NpmInstaller(str(node))},
            limits=Limits(seconds, size, files),
            registries=registries or {},
            concurrency=4,
            on_install=on_install,
        )

    return make


def _program(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable} -I\n{text}")
    path.chmod(0o755)
    return path
