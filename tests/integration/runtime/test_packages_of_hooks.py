"""Folders of packages: a hook reads its own, of native code too, and no other's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.domain.outcomes import OutcomeKind

PYTHON = """
import greeting, orjson
def hook(event, context):
    return [greeting.TEXT, greeting.__file__, orjson.dumps(event).decode()]
"""
NODE = """
const greeting = require('greeting');
module.exports = (event, context, cb) => cb(null, [greeting.TEXT, require.resolve('greeting')]);
"""


@pytest.fixture(scope="module")
def folders(packages_root: Path) -> Iterator[tuple[str, str]]:
    """Two folders, made after the runner started, each with a package of the same name."""
    names = ("mine", "another")
    for name in names:
        folder = packages_root / name
        module = folder / "node_modules" / "greeting"
        module.mkdir(parents=True)
        (module / "index.js").write_text(f"exports.TEXT = 'hello from {name}';")
        (module / "package.json").write_text('{"name": "greeting", "version": "1.0.0"}')
        (folder / "greeting.py").write_text(f"TEXT = 'hello from {name}'\n")
        native = Path(orjson.__file__).parent
        shutil.copytree(native, folder / "orjson")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    yield names
    for name in names:
        shutil.rmtree(packages_root / name)


@pytest.mark.parametrize("name", ["mine", "another"])
def test_a_python_hook_imports_its_packages(
    house: Any, folders: tuple[str, str], packages_root: Path, name: str
) -> None:
    outcome = house.call(house.version(PYTHON, packages=name), {"a": 1})
    assert outcome.kind is OutcomeKind.SUCCEEDED, outcome
    expected = [f"hello from {name}", str(packages_root / name / "greeting.py"), '{"a":1}']
    assert orjson.loads(outcome.data) == expected


@pytest.mark.parametrize("name", ["mine", "another"])
def test_a_node_hook_requires_its_packages(
    house: Any, folders: tuple[str, str], packages_root: Path, name: str
) -> None:
    outcome = house.call(house.version(NODE, language="node", packages=name))
    assert outcome.kind is OutcomeKind.SUCCEEDED, outcome
    module = packages_root / name / "node_modules" / "greeting" / "index.js"
    assert orjson.loads(outcome.data) == [f"hello from {name}", str(module)]


def test_no_hook_reads_the_packages_of_another(
    house: Any, folders: tuple[str, str], packages_root: Path
) -> None:
    python = """
import os
def attempt(action, path):
    try: return [path, str(action(path))]
    except OSError as error: return error.errno
def hook(event, context):
    root = event
    return [attempt(os.listdir, root), attempt(os.listdir, f"{root}/another"),
            attempt(open, f"{root}/another/greeting.py"),
            attempt(open, f"{root}/mine/../another/greeting.py")]
"""
    node = """
const fs = require('fs');
const attempt = (action, path) => {
  try { return [path, String(action(path))]; } catch (error) { return -error.errno; }
};
module.exports = (root, context, cb) => cb(null, [
  attempt(fs.readdirSync, root), attempt(fs.readdirSync, `${root}/another`),
  attempt(fs.readFileSync, `${root}/another/greeting.py`),
  attempt(fs.readFileSync, `${root}/mine/../another/greeting.py`),
]);
"""
    for script, language in ((python, "python"), (node, "node")):
        for packages in ("mine", None):
            version = house.version(script, language=language, packages=packages)
            answers = orjson.loads(house.call(version, str(packages_root)).data)
            assert all(type(answer) is int for answer in answers), (language, packages, answers)


def test_packages_cannot_be_changed(house: Any, folders: Any, packages_root: Path) -> None:
    open_to_all = packages_root / "mine" / "open"
    open_to_all.mkdir(exist_ok=True)
    open_to_all.chmod(0o777)
    script = """
def hook(path, context):
    try: open(path, "w").close()
    except OSError as error: return error.errno
"""
    version = house.version(script, packages="mine")
    outcome = house.call(version, str(open_to_all / "new"))
    assert isinstance(orjson.loads(outcome.data), int)
    assert list(open_to_all.iterdir()) == []


@pytest.mark.parametrize("name", ["missing", "..", "", "mine/../another", "/etc"])
@pytest.mark.parametrize("language", ["python", "node"])
def test_a_folder_that_is_not_there_is_said_to_be_missing(
    house: Any, folders: Any, name: str, language: str
) -> None:
    script = {"python": "def hook(event): pass", "node": "module.exports = () => {}"}[language]
    outcome = house.call(house.version(script, language=language, packages=name))
    assert outcome.kind is OutcomeKind.CRASHED
    assert "could not start" in outcome.detail
    assert name in outcome.detail


def test_a_folder_that_was_made_again_is_read_again(house: Any, packages_root: Path) -> None:
    folder = packages_root / "renewed"
    for text in ("first", "second"):
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
        (folder / "greeting.py").write_text(f"TEXT = {text!r}\n")
        (folder / "greeting.py").chmod(0o644)
        script = "import greeting\ndef hook(event, context): return greeting.TEXT"
        outcome = house.call(house.version(script, packages="renewed"))
        assert orjson.loads(outcome.data) == text
        shutil.rmtree(folder)
