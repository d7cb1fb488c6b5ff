"""Hooks in the style of Auth0's documentation, each fixture in the isolation of production."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).resolve().parents[1] / "data" / "corpus"
FIXTURES = sorted(CORPUS.glob("hooks/*/*/fixtures/*.json"))
INSTALL_SECONDS = 400

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 20)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Run all fixtures once, packages freshly installed; what came of each, by its file."""
    done = subprocess.run(
        [sys.executable, "-m", "app", "test", str(CORPUS), "--json"],
        env={**os.environ, "HOOKLEDGER_DATA_DIR": str(tmp_path_factory.mktemp("var"))},
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
    )
    assert done.returncode in (0, 1), done.stderr
    return {result["file"]: result for result in json.loads(done.stdout)}


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_the_fixture_comes_out_as_it_says(results: dict[str, dict[str, Any]], path: Path) -> None:
    (result,) = (found for file, found in results.items() if str(path).endswith(file))
    assert result["failures"] == [], result


def test_every_hook_of_the_corpus_is_shown_at_work(results: dict[str, dict[str, Any]]) -> None:
    hooks = {path.parent.name for path in CORPUS.rglob("hook.toml")}
    assert {result["hook"] for result in results.values()} == hooks
    assert len(results) == len(FIXTURES)
