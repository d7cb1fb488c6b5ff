"""Documents are product: nothing a user can name goes undocumented, and no link leads nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.clients import SCOPES
from app.domain.contracts import CONTRACTS
from config.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "hooks_repo" / "README.md"])


def test_the_command_line_reference_is_what_the_commands_say(tmp_path: Path) -> None:
    """``make docs`` writes it."""
    generated = tmp_path / "cli-reference.md"
    subprocess.run(
        [
            *(Path(sys.executable).with_name("typer"), "app.cli.main", "utils", "docs"),
            *("--name", "hookledger", "--title", "Command line reference"),
            *("--output", generated),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    assert (DOCS / "cli-reference.md").read_text() == generated.read_text()


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_in_the_guide_for_operators(name: str) -> None:
    assert f"{PREFIX}{name.upper()}" in (DOCS / "operations.md").read_text()


@pytest.mark.parametrize("scope", list(SCOPES))
def test_every_scope_is_in_the_http_reference(scope: str) -> None:
    assert f"`{scope}`" in (DOCS / "http.md").read_text()


@pytest.mark.parametrize("trigger", list(CONTRACTS))
def test_every_trigger_is_documented(trigger: str) -> None:
    assert f"`{trigger}`" in (DOCS / "triggers.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (document.parent / target).exists(), f"{target} in {document.name}"


def test_every_document_can_be_reached_from_the_index() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document in seen or document.suffix != ".md":
            continue
        seen.add(document)
        links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
        waiting += [(document.parent / link).resolve() for link in links if ":" not in link]
    assert {path for path in DOCS.rglob("*.md") if path not in seen} == set()
