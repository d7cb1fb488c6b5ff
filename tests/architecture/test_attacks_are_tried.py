"""The documents say of each attack which test tries it: there is such a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("hostile-hooks.md", "hostile-repositories.md")
NAMED = re.compile(r"`([\w/]*test_\w+\.py)::(test_\w+)`")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_a_table_names_exists(document: str) -> None:
    text = (ROOT / "docs" / document).read_text()
    named = NAMED.findall(text)
    assert len(named) > 20
    missing = [f"{file}::{test}" for file, test in named if not is_defined(file, test)]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_attack_has_a_test(document: str) -> None:
    text = (ROOT / "docs" / document).read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    attacks = [row for row in rows if not row.startswith("| attack |")]
    assert [row for row in attacks if not NAMED.search(row) and "the same," not in row] == []


def is_defined(file: str, test: str) -> bool:
    files = [ROOT / file] if file.startswith("tests/") else (ROOT / "tests").rglob(file)
    return any(re.search(rf"^def {test}\(", each.read_text(), re.MULTILINE) for each in files)
