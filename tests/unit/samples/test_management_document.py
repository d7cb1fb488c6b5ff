"""The Management API's page names every operation, scope and error code."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.web.management.errors import ERROR_CODES
from app.web.routes import MANAGEMENT


@pytest.fixture
def rows(root: Path) -> list[str]:
    page = (root / "docs/management-api.md").read_text(encoding="utf-8")
    return [line for line in page.splitlines() if line.startswith("|")]


def test_every_operation_is_documented_with_its_scopes_and_status(rows: list[str]) -> None:
    for endpoint in MANAGEMENT:
        operation = endpoint.operation
        scopes = ", ".join(f"`{scope}`" for scope in operation.scopes)
        status = min(operation.answers)
        named = f"| `{operation.method} {operation.path}` | {scopes} | {status}"
        assert [row for row in rows if row.startswith(named)], named


def test_every_error_code_is_documented_with_its_status(rows: list[str]) -> None:
    for _, kind in ERROR_CODES:
        named = f"| `{kind.code}` | {kind.status} |"
        assert [row for row in rows if row.startswith(named)], named


def test_no_error_code_is_documented_that_does_not_exist(rows: list[str]) -> None:
    codes = {kind.code for _, kind in ERROR_CODES}
    statuses = {str(kind.status) for _, kind in ERROR_CODES}
    documented = {
        cells[1].strip().strip("`")
        for row in rows
        if (cells := row.split("|"))[2].strip() in statuses
    }
    assert documented == codes
