"""Hostile packages, given to the real pip and the real npm: none of their code runs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.domain.documents.packages import PackageSet
from app.runtime.dependencies import guarded_pip

BAIT = PackageSet.of("python", {"bait": "1.0"})
NODE_BAIT = PackageSet.of("node", {"bait": "1.0.0"})


def write_wheel(
    folder: Path, *, name: str = "bait", requires: str = "", files: dict[str, str] | None = None
) -> Path:
    info = f"{name}-1.0.dist-info"
    about = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}",
        f"{info}/WHEEL": about,
    } | (files or {f"{name}.py": "x = 1\n"})
    record = "".join(f"{member},,\n" for member in members) + f"{info}/RECORD,,\n"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in (members | {f"{info}/RECORD": record}).items():
            wheel.writestr(member, text)
    return path


def tarball(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def pip_cache(make_cache: Any, wheels: Path) -> Any:
    registries = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_CONFIG_FILE": "/dev/null",
    }
    return make_cache(registries=registries)


class NpmRegistry:
    """One package, `bait` 1.0.0, served on a port of this machine."""

    def __init__(self) -> None:
        self.manifest: dict[str, Any] = {"name": "bait", "version": "1.0.0"}
        self.archive = b""
        self.integrity = ""
        self.asked: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(self.path)
                body = registry.answer(self.path)
                self.send_response(200 if body else 404)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/"

    def publish(self, files: dict[str, str] | None = None, **manifest: Any) -> None:
        self.manifest |= manifest
        packed = {"package/package.json": json.dumps(self.manifest)} | (files or {})
        self.archive = tarball(packed)
        digest = hashlib.sha512(self.archive).digest()
        self.integrity = "sha512-" + base64.b64encode(digest).decode()

    def answer(self, path: str) -> bytes:
        if path.endswith(".tgz"):
            return self.archive
        if path != "/bait":
            return b""
        dist = {"tarball": f"{self.address}bait-1.0.0.tgz", "integrity": self.integrity}
        version = self.manifest | {"dist": dist}
        latest = {"latest": "1.0.0"}
        return json.dumps(
            {"name": "bait", "dist-tags": latest, "versions": {"1.0.0": version}}
        ).encode()


@pytest.fixture
def npm_registry() -> Iterator[NpmRegistry]:
    registry = NpmRegistry()
    thread = threading.Thread(target=registry.server.serve_forever)
    thread.start()
    try:
        yield registry
    finally:
        registry.server.shutdown()
        thread.join()
        registry.server.server_close()


@pytest.fixture
def npm_cache(make_cache: Any, npm_registry: NpmRegistry) -> Any:
    return make_cache(registries={"npm_config_registry": npm_registry.address})


def reasons(cache: Any, wanted: PackageSet) -> list[str]:
    found = asyncio.run(cache.ensure([wanted]))
    return [problem.message for problem in found.get(wanted, ())]


def test_a_wheel_that_demands_a_source_archive_by_address_builds_nothing(
    pip_cache: Any, wheels: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "built"
    archive = tmp_path / "evil-1.0.tar.gz"
    archive.write_bytes(
        tarball(
            {
                "evil-1.0/setup.py": f"open({str(marker)!r}, 'w')",
                "evil-1.0/pyproject.toml": (
                    "[build-system]\nrequires = []\nbuild-backend = 'b'\nbackend-path = ['.']\n"
                ),
                "evil-1.0/b.py": f"open({str(marker)!r}, 'w')\n",
            }
        )
    )
    write_wheel(wheels, requires=f"Requires-Dist: evil @ {archive.as_uri()}\n")
    # Without the guard it is built, wheels only or not: that is what the guard is for.
    options = ("--no-index", "--find-links", wheels, "--only-binary=:all:", "--target", tmp_path)
    subprocess.run(
        [sys.executable, "-I", "-m", "pip", "install", *options, "bait==1.0"],
        capture_output=True,
        timeout=60,
    )
    assert marker.exists()
    marker.unlink()
    assert reasons(pip_cache, BAIT) == [
        "one of the packages would have to be built, or fetched by git"
    ]
    assert not marker.exists()
    assert pip_cache.folder(BAIT) is None


def test_a_wheel_that_demands_a_git_repository_starts_no_git(pip_cache: Any, wheels: Path) -> None:
    write_wheel(wheels, requires="Requires-Dist: evil @ git+https://127.0.0.1:9/evil.git\n")
    (reason,) = reasons(pip_cache, BAIT)
    assert reason == "one of the packages would have to be built, or fetched by git"


def test_a_wheel_that_demands_another_by_address_is_refused(
    pip_cache: Any, wheels: Path, tmp_path: Path
) -> None:
    evil = write_wheel(tmp_path, name="evil")
    write_wheel(wheels, requires=f"Requires-Dist: evil @ {evil.as_uri()}\n")
    assert reasons(pip_cache, BAIT) == ["evil comes from an address, not from the index"]


def test_no_start_up_file_of_a_wheel_is_run(
    pip_cache: Any, wheels: Path, tmp_path: Path, root: Path
) -> None:
    marker = tmp_path / "run"
    code = f"open({str(marker)!r}, 'w')"
    names = ("sitecustomize.py", "usercustomize.py", "bait.py", "compileall.py", "encodings.py")
    files = dict.fromkeys(names, code) | {"bait.pth": f"import os; {code}"}
    write_wheel(wheels, files=files)
    assert reasons(pip_cache, BAIT) == []
    assert not marker.exists()
    assert (root / pip_cache.folder(BAIT) / "bait.pth").exists()


def test_a_wheel_that_writes_elsewhere_is_refused(pip_cache: Any, wheels: Path, root: Path) -> None:
    write_wheel(wheels, files={"../../../escaped.py": "x = 1"})
    assert reasons(pip_cache, BAIT) != []
    assert not (root.parent / "escaped.py").exists()
    assert not list(root.rglob("escaped.py"))


def test_the_guard_cannot_be_taken_off() -> None:
    attack = (
        f"import sys, runpy; guard = runpy.run_path({str(guarded_pip.__file__)!r})['guard']\n"
        "sys.addaudithook(guard); import os, subprocess\n"
        "for start in (lambda: subprocess.run(['true']), lambda: os.system('true'), os.fork,\n"
        "              lambda: os.execv('/bin/true', ['true']), lambda: os.posix_spawn('/bin/true', ['true'], {})):\n"
        "    try: start()\n"
        "    except OSError: continue\n"
        "    sys.exit('started')\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", attack], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_no_script_of_an_npm_package_is_run(
    npm_cache: Any, npm_registry: NpmRegistry, tmp_path: Path, root: Path
) -> None:
    marker = tmp_path / "run"
    scripts = dict.fromkeys(("preinstall", "install", "postinstall", "prepare"), f"touch {marker}")
    npm_registry.publish({"package/binding.gyp": "{}"}, scripts=scripts)
    assert reasons(npm_cache, NODE_BAIT) == []
    assert not marker.exists()
    assert (root / npm_cache.folder(NODE_BAIT) / "node_modules/bait/package.json").exists()


@pytest.mark.parametrize(
    "address",
    ["git+https://127.0.0.1:9/x.git", "github:evil/x", "file:/etc", "file:../../..", "{}evil.tgz"],
)
@pytest.mark.parametrize("kind", ["dependencies", "optionalDependencies"])
def test_an_npm_package_that_demands_another_by_address_is_refused(
    npm_cache: Any, npm_registry: NpmRegistry, address: str, kind: str
) -> None:
    npm_registry.publish(**{kind: {"evil": address.format(npm_registry.address)}})
    found = reasons(npm_cache, NODE_BAIT)
    assert found
    assert [reason for reason in found if "the registry" not in reason] == []
    assert npm_cache.folder(NODE_BAIT) is None


def test_an_npm_package_that_is_not_what_the_registry_vouched_for_is_refused(
    npm_cache: Any, npm_registry: NpmRegistry
) -> None:
    npm_registry.publish()
    npm_registry.archive = tarball({"package/package.json": '{"name": "bait", "evil": true}'})
    (reason,) = reasons(npm_cache, NODE_BAIT)
    assert "EINTEGRITY" in reason


def test_an_npm_package_cannot_write_elsewhere(
    npm_cache: Any, npm_registry: NpmRegistry, root: Path
) -> None:
    npm_registry.publish({"package/../../../../escaped.js": "x"}, bin={"../../../escaped": "x.js"})
    reasons(npm_cache, NODE_BAIT)
    assert not list(root.parent.glob("escaped*"))
    assert not [path for path in root.rglob("escaped*") if "bait" not in path.parts]


def test_a_registry_that_is_not_there_refuses_nothing(
    npm_cache: Any, pip_cache: Any, make_cache: Any
) -> None:
    from app.domain.errors import Transient

    registries = {
        "npm_config_registry": "http://127.0.0.1:9/",
        "npm_config_fetch_retries": "0",
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_CONFIG_FILE": "/dev/null",
    }
    for wanted in (BAIT, NODE_BAIT):
        with pytest.raises(Transient, match="cannot be reached"):
            asyncio.run(make_cache(registries=registries).ensure([wanted]))
