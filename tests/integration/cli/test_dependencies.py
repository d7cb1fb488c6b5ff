"""Packages on the command line: planned, installed, refused; from a folder of wheels."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.main import cli

HOOK = """
def hook(user, context):
    import tiny

    return {"user": {"app_metadata": {"tiny": tiny.version}}}
"""
FIXTURE = {
    "name": "a newcomer",
    "payload": {
        "user": {"tenant": "my-tenant", "phoneNumber": "+15555550123"},
        "context": {"connection": {"id": "con_2", "name": "sms", "tenant": "my-tenant"}},
    },
    "expect": {"effects": {"user": {"app_metadata": {"tiny": "1.0"}}}},
}


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository without commits, and an index that has `tiny` 1.0 and 1.1 and no network."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for version in ("1.0", "1.1"):
        info = f"tiny-{version}.dist-info"
        with zipfile.ZipFile(wheels / f"tiny-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tiny.py", f"version = {version!r}\n")
            wheel.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n"
            )
            about = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            wheel.writestr(f"{info}/WHEEL", about)
            wheel.writestr(f"{info}/RECORD", "")
    for name, value in {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "HOOKLEDGER_DATA_DIR": str(tmp_path / "var"),
        "HOOKLEDGER_REPO": str(tmp_path / "repository"),
        "HOOKLEDGER_REPO_PATH": "",
        "COLUMNS": "300",
    }.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", root], check=True)
    return root


def commit(repository: Path, **dependencies: str) -> None:
    folder = repository / "hooks/pre-user-registration/needy"
    (folder / "fixtures").mkdir(parents=True, exist_ok=True)
    listed = "".join(f'{name} = "{version}"\n' for name, version in dependencies.items())
    (folder / "hook.toml").write_text(f"enabled = true\n[dependencies]\n{listed}")
    (folder / "hook.py").write_text(HOOK)
    (folder / "fixtures/newcomer.json").write_text(json.dumps(FIXTURE))
    subprocess.run(["git", "-C", repository, "add", "-A"], check=True)
    subprocess.run(["git", "-C", repository, "commit", "-qm", "Change"], check=True)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def installed(tmp_path: Path) -> list[str]:
    return [json.loads(path.read_text())["dependencies"]["tiny"]
            for path in sorted((tmp_path / "var/packages").glob("*/resolved.json"))]  # fmt: skip


def test_a_plan_lists_packages_and_a_sync_installs_them(repository: Path, tmp_path: Path) -> None:
    commit(repository, tiny="1.0")
    planned = run("plan", "--json")
    assert planned.exit_code == 2
    assert json.loads(planned.stdout)["dependencies"] == [
        {"hook": "needy", "name": "tiny", "version": "1.0"}
    ]
    assert "tiny" in run("plan").stdout
    assert installed(tmp_path) == []
    assert run("sync", "--once").exit_code == 0
    assert installed(tmp_path) == ["1.0"]


def test_a_package_that_cannot_be_had_refuses_the_commit_and_says_why(
    repository: Path, tmp_path: Path
) -> None:
    commit(repository, tiny="9.9", unheard_of="1.0")
    result = run("sync", "--once")
    assert result.exit_code == 1
    said = str(result.exception)
    file = "hooks/pre-user-registration/needy/hook.toml"
    assert f"{file}: dependencies.tiny: PyPI has no version 9.9 of tiny as a wheel" in said
    assert "the newest it offers is 1.1" in said
    assert f"{file}: dependencies.unheard_of: PyPI has no wheel of unheard_of" in said
    commit(repository, tiny="1.1")
    assert run("sync", "--once").exit_code == 0
    assert installed(tmp_path) == ["1.1"]


def test_fixtures_run_with_the_packages_installed(repository: Path, tmp_path: Path) -> None:
    commit(repository, tiny="1.0")
    result = run("test", str(repository))
    assert result.exit_code == 0, (result.output, result.exception)
    assert installed(tmp_path) == ["1.0"]
    commit(repository, tiny="9.9")
    assert "dependencies.tiny" in str(run("test", str(repository)).exception)
