"""A tenant's worth of hooks goes out by the command and comes back by git, in every format."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

COUNT = 104
TRIGGERS = (
    "credentials-exchange",
    "pre-user-registration",
    "post-user-registration",
    "post-change-password",
    "send-phone-message",
)
FORMATS = ("auth0-directory", "native", "auth0-yaml")


@pytest.fixture
def tenant(workspace: Any) -> Any:
    """A workspace whose followed folder is an export of the Deploy CLI."""
    root = workspace.repository / "hooks_repo"
    shutil.rmtree(root)
    (root / "hooks").mkdir(parents=True)
    for number in range(COUNT):
        name = f"hook-{number:03d}"
        members = {
            "name": name,
            "triggerId": TRIGGERS[number % len(TRIGGERS)],
            "script": f"./{name}.js",
            "enabled": number < len(TRIGGERS),
            "secrets": {"KEY": "##KEY##"} if number % 10 == 0 else {},
        }
        (root / f"hooks/{name}.json").write_text(json.dumps(members))
        script = f"module.exports = (...all) => all.pop()(null, {{ n: {number} }});\n"
        (root / f"hooks/{name}.js").write_text(script)
    workspace.environment["HOOKLEDGER_KEYWORDS"] = '{"KEY": "s3cret-value-1"}'
    workspace.commit("Import the tenant")
    return workspace


def export(workspace: Any, server: Any, folder: Path, kind: str, *options: str) -> Any:
    workspace.environment |= {"HOOKLEDGER_URL": server.address, "HOOKLEDGER_TOKEN": server.token}
    try:
        return workspace.json("export", "--output", str(folder), "--format", kind, *options)
    finally:
        del workspace.environment["HOOKLEDGER_URL"], workspace.environment["HOOKLEDGER_TOKEN"]


def read(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def follow(workspace: Any, server: Any, folder: Path) -> list[str]:
    """Commit a folder as the one that is followed; return the types of events about hooks."""
    root = workspace.repository / "hooks_repo"
    shutil.rmtree(root)
    shutil.copytree(folder, root)
    commit = workspace.commit(f"Follow {folder.name}")
    server.eventually("/v1/sync", lambda told: told["sources"][0]["applied"] == commit)
    told = server.client.get("/v1/audit", params={"commit": commit, "limit": 500}).json()
    return [e["type"] for e in told["events"] if e["type"].startswith(("hook.", "trigger."))]


@pytest.mark.timeout(300)
def test_104_hooks_are_listed_exported_and_imported_in_every_format(
    tenant: Any, start: Any, tmp_path: Path
) -> None:
    with start() as server:
        first = server.client.get("/v1/hooks", params={"limit": 500}).json()["hooks"]
        assert len(first) == COUNT
        assert sum(hook["enabled"] for hook in first) == len(TRIGGERS)
        assert [hook["name"] for hook in first if hook["secrets"]] == [
            f"hook-{number:03d}" for number in range(0, COUNT, 10)
        ]
        for number, kind in enumerate(FORMATS):
            folder = tmp_path / f"export-{number}"
            told = export(tenant, server, folder, kind)
            assert (told["hooks"], told["warnings"], told["others"]) == (COUNT, [], [])
            assert b"s3cret" not in b"".join(read(folder).values())
            moved = follow(tenant, server, folder)
            assert set(moved) <= {"hook.moved"}
            again = tmp_path / f"again-{number}"
            export(tenant, server, again, kind)
            assert read(again) == read(folder)
            (again / "README.md").write_text("another tree")
            assert follow(tenant, server, again) == []
        last = server.client.get("/v1/hooks", params={"limit": 500}).json()["hooks"]
        same = ("id", "name", "trigger", "enabled", "digest", "secrets", "version_key")
        assert [[h[k] for k in same] for h in last] == [[h[k] for k in same] for h in first]


def test_an_export_never_replaces_what_is_there_unless_told(
    workspace: Any, server: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    workspace.environment |= {"HOOKLEDGER_URL": server.address, "HOOKLEDGER_TOKEN": server.token}
    refused = workspace.run("export", "--output", str(folder), check=False)
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr
    assert [file.name for file in folder.iterdir()] == ["mine.txt"]

    (folder / "hooks").mkdir()
    (folder / "hooks" / "old.toml").write_text("old")
    told = workspace.json("export", "--output", str(folder), "--force")
    assert told["others"] == ["hooks/old.toml"]
    assert (folder / "mine.txt").read_text() == "mine"
    printed = workspace.run("export", "-o", str(folder), "--force").stdout
    assert "Not part of it, and left: hooks/old.toml" in printed

    archive = tmp_path / "export.zip"
    workspace.run("export", "-o", str(archive), "--format", "auth0-yaml")
    first = archive.read_bytes()
    assert workspace.run("export", "-o", str(archive), check=False).returncode == 1
    workspace.run("export", "-o", str(archive), "--format", "auth0-yaml", "--force")
    assert archive.read_bytes() == first

    assert workspace.run("export", "-o", "x", "--format", "tar", check=False).returncode == 2
    only = workspace.json("export", "-o", str(tmp_path / "only"), "--trigger", "send-phone-message")
    assert 0 < only["hooks"] < told["hooks"]
    workspace.environment["HOOKLEDGER_TOKEN"] = "hlt_wrong"
    refused = workspace.run("export", "-o", str(tmp_path / "no"), check=False)
    assert refused.returncode == 1
    assert "401" in refused.stderr
    assert not (tmp_path / "no").exists()
    assert orjson.loads(workspace.run("hooks", "list", "--json").stdout)
