"""The documentation names what exists, and its links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from app.domain.callers.client import SCOPES
from app.domain.outcomes import OutcomeKind
from app.domain.triggers.catalogue import CONTRACTS
from app.eventstore.mapper import EVENTS
from app.web.protocol.problem_types import PROBLEM_TYPES
from app.web.routes import OPERATIONS
from config.settings import Settings

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def pages(root: Path) -> Iterator[Path]:
    yield from sorted((root / "docs").rglob("*.md"))
    for name in ("CHANGELOG.md", "SECURITY.md", "hooks_repo/README.md"):
        yield root / name


def prose(page: Path) -> str:
    return CODE_BLOCK.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Make the anchors GitHub makes of headings."""
    titles = HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(prose(page)):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield f"{page.name}: {link}"


def test_every_link_leads_to_a_file_and_heading_that_exist(root: Path) -> None:
    assert [link for page in pages(root) for link in broken_links(page)] == []


def test_the_sample_repositorys_readme_names_every_sample(samples: Path, hook_folder: Path) -> None:
    assert f"hooks/{hook_folder.parent.name}/{hook_folder.name}" in (
        samples / "README.md"
    ).read_text(encoding="utf-8")


def test_every_trigger_is_documented_with_its_parameters(root: Path) -> None:
    page = (root / "docs/triggers.md").read_text(encoding="utf-8")
    for contract in CONTRACTS.values():
        assert f"## `{contract.id}`" in page
        assert f"def hook({', '.join(contract.parameters)})" in page


def test_every_scope_is_documented(root: Path) -> None:
    page = (root / "docs/http.md").read_text(encoding="utf-8")
    assert [scope for scope in SCOPES if f"`{scope}`" not in page] == []


def test_every_route_is_documented_with_its_scope(root: Path) -> None:
    lines = (root / "docs/http.md").read_text(encoding="utf-8").splitlines()
    for operation in OPERATIONS:
        named = re.compile(rf"`{operation.method} {re.escape(operation.path)}`")
        rows = [line for line in lines if line.startswith("|") and named.search(line)]
        assert rows, operation.path
        assert f"| {f'`{operation.scope}`' if operation.scope else 'none'} |" in rows[0]


def test_every_problem_type_is_documented_with_its_status(root: Path) -> None:
    lines = (root / "docs/http.md").read_text(encoding="utf-8").splitlines()
    for kind in PROBLEM_TYPES.values():
        assert any(f"`{kind.slug}`" in line and f"| {kind.status} |" in line for line in lines)


def test_every_type_of_event_is_documented(root: Path) -> None:
    page = (root / "docs/http.md").read_text(encoding="utf-8")
    assert [topic for topic in EVENTS if f"`{topic}`" not in page] == []


def test_every_outcome_is_explained_to_authors_of_hooks(root: Path) -> None:
    page = (root / "docs/writing-hooks.md").read_text(encoding="utf-8")
    kinds = [kind for kind in OutcomeKind if kind is not OutcomeKind.SUCCEEDED]
    assert [kind for kind in kinds if f"outcome `{kind}`" not in page] == []


def test_every_setting_is_documented(root: Path) -> None:
    page = (root / "docs/operations.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"`{name}`" not in page] == []


def test_every_decision_record_is_in_the_index(root: Path) -> None:
    index = (root / "docs/adr/README.md").read_text(encoding="utf-8")
    records = sorted((root / "docs/adr").glob("[0-9]*.md"))
    assert records
    assert [record.name for record in records if f"({record.name})" not in index] == []


def test_every_page_is_in_the_map(root: Path) -> None:
    index = (root / "docs/index.md").read_text(encoding="utf-8")
    listed = {page.name for page in (root / "docs").glob("*.md")} - {"index.md"}
    assert [name for name in sorted(listed) if f"({name})" not in index] == []


def test_every_test_that_a_page_names_is_there(root: Path) -> None:
    named = {
        (file, test)
        for page in pages(root)
        for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text("utf-8"))
    }
    assert named
    missing = [
        f"{file}::{test}"
        for file, test in sorted(named)
        if f"def {test}(" not in (root / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_the_changelog_begins_with_what_is_not_released_yet(root: Path) -> None:
    headings = re.findall(
        r"^## (.+)$", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert headings[0] == "[Unreleased]"
