"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("app", "projections", "config")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
MAX_LINES = 300
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "base", "misc"}
TOP_LEVEL = {
    "app", "projections", "config", "hooks_repo", "tests", "docs", "pyproject.toml", "README.md",
    "CHANGELOG.md", "Makefile", "LICENSE", "SECURITY.md",
}  # fmt: skip


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def test_the_contracts_on_imports_hold() -> None:
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_fits_the_mind_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    assert path.stem not in FORBIDDEN_NAMES
    assert ast.get_docstring(ast.parse(text)), "a module says what it is for"


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if path.name == "__init__.py"],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_a_package_holds_a_docstring_and_nothing_else(path: Path) -> None:
    assert len(ast.parse(path.read_text()).body) == 1


def test_the_top_level_holds_what_the_design_says() -> None:
    names = {name.split("/")[0] for name in tracked()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


def test_no_file_names_the_host_of_a_registry() -> None:
    hosts = re.compile(rb"(pypi\.org|pythonhosted|registry\.npmjs|deb\.debian)", re.IGNORECASE)
    here = str(Path(__file__).relative_to(ROOT))
    named = [
        name
        for name in tracked()
        if name != here and (ROOT / name).is_file() and hosts.search((ROOT / name).read_bytes())
    ]
    assert named == []


def test_our_packages_are_the_ones_that_are_imported() -> None:
    """``app``, ``config`` and ``projections`` are common names; another package must not win."""
    for room in ROOMS:
        module = __import__(room)
        assert Path(module.__file__ or "").is_relative_to(ROOT)
    provided = importlib.metadata.packages_distributions()
    for room in ROOMS:
        assert set(provided.get(room, ["hookledger"])) == {"hookledger"}


def test_the_version_has_a_place_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[([^\]]+)\]", changelog, re.MULTILINE)
    assert headings[0] == "Unreleased"
    version = importlib.metadata.version("hookledger")
    assert headings[1:2] in ([version], [])
