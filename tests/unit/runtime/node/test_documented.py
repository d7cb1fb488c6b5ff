"""The page for people who move hooks names what their scripts find here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.domain.triggers.catalogue import CONTRACTS


@pytest.fixture(scope="module")
def page() -> str:
    root = Path(__file__).resolve().parents[4]
    return (root / "docs/auth0-compatibility.md").read_text(encoding="utf-8")


def test_every_member_of_webtask_is_documented(node: Any, page: str) -> None:
    hook = node.hook("module.exports = (u, c, cb) => cb(null, Object.keys(c.webtask));")
    _, _, rest = page.partition("## `context.webtask`")
    table, _, _ = rest.partition("\n## ")
    assert [name for name in hook.call().result if f"`{name}`" not in table] == []


def test_everything_in_hookledger_is_documented(node: Any, page: str) -> None:
    hook = node.hook("module.exports = (u, c, cb) => cb(null, Object.keys(require('hookledger')));")
    assert [name for name in hook.call().result if name not in page] == []


@pytest.mark.parametrize("trigger", CONTRACTS)
def test_each_points_function_and_globals_are_documented(
    node: Any, page: str, trigger: str
) -> None:
    parameters = CONTRACTS[trigger].parameters
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{trigger}` | `(")]
    assert f"`({', '.join(parameters)}, cb)`" in row
    hook = node.hook(
        """const { ExtensibilityUserError, log, invocation, ...classes } = require('hookledger');
        const own = Object.keys(classes).filter((name) => name in globalThis);
        module.exports = function (...all) { all.pop()(null, own); };""",
        trigger=trigger,
        parameters=parameters,
    )
    named = row.split("|")[3]
    assert sorted(hook.call().result) == sorted(named.replace("`", "").replace(" ", "").split(","))
