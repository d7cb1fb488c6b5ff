"""Scripts are compiled, never run, in a confined worker before they are deployed."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.errors import Problem
from app.domain.outcomes import ScriptToCheck

PARAMETERS = ("user", "context")


def check(house: Any, *scripts: str) -> list[Problem]:
    asked = [
        ScriptToCheck(f"hooks/{number}/hook.py", "python", script, PARAMETERS)
        for number, script in enumerate(scripts)
    ]
    return list(house.do(house.runner.check(asked)))


@pytest.mark.parametrize(
    "script",
    [
        "def hook(user, context):\n    return {}",
        "async def hook(user, ctx):\n    return {}",
        "def hook(*arguments):\n    return {}",
        "def hook(user, context, extra=None):\n    return {}",
        "hook = lambda user, context: {}",
        "from json import dumps as hook",
        "if True:\n    def hook(user, context): pass",
        "import functools\n@functools.cache\ndef hook(anything): pass",
        "def hook(): pass\ndef hook(user, context): pass",
        "raise SystemExit('checking does not run scripts')\ndef hook(user, context): pass",
    ],
)
def test_a_script_that_may_work_passes(house: Any, script: str) -> None:
    assert check(house, script) == []


@pytest.mark.parametrize(
    ("script", "line", "told"),
    [
        ("\n\ndef hook(user context): pass", 3, "invalid syntax"),
        ("def hook(user, context):\n  x\n y", 3, "unindent"),
        ("return 1\ndef hook(user, context): pass", 1, "'return' outside function"),
        ("def Hook(user, context): pass", None, "no top-level function"),
        ("def outer():\n    def hook(user, context): pass", None, "no top-level function"),
        ("class hook: pass", 1, "is a class"),
        ("x = 1\ndef hook(user): pass", 2, "takes 1"),
        (
            "def hook(client, scope, audience, context): pass",
            1,
            "(client, scope, audience, context)",
        ),
        ("def hook(user, context, *, key): pass", 1, "keyword key"),
        ("x = '\0'", None, "null bytes"),
        ("(" * 1000, 1, "too many nested"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(
    house: Any, script: str, line: int | None, told: str
) -> None:
    (problem,) = check(house, script)
    assert problem.file == "hooks/0/hook.py"
    assert problem.line == line
    assert told in problem.message


def test_every_script_is_checked_and_the_order_kept(house: Any) -> None:
    good, bad = "def hook(user, context): pass", "def hook(user): pass"
    problems = check(house, *([good, bad] * 50))
    assert [problem.file for problem in problems] == [
        f"hooks/{n}/hook.py" for n in range(1, 100, 2)
    ]


def test_a_script_that_exhausts_the_compiler_is_a_problem_of_that_script(house: Any) -> None:
    bomb = "x = " + "-" * 200_000 + "1\ndef hook(user, context): pass"
    fine = "def hook(user, context): pass"
    problems = check(house, fine, bomb, fine)
    assert [problem.file for problem in problems] == ["hooks/1/hook.py"]
    assert check(house, fine) == []


def test_javascript_is_compiled_too(house: Any) -> None:
    good, bad = "module.exports = (user, context, cb) => cb()", "let a = 1;\nlet b = ;"
    scripts = [
        ScriptToCheck(f"hooks/{number}/hook.js", "node", script, PARAMETERS)
        for number, script in enumerate((good, bad, good))
    ]
    (problem,) = house.do(house.runner.check(scripts))
    assert (problem.file, problem.line) == ("hooks/1/hook.js", 2)
    assert "Unexpected token" in problem.message
