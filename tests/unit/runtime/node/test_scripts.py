"""How a script becomes a hook, and what is said of one that does not."""

from __future__ import annotations

from typing import Any

import pytest

UNCOMPILED = "Unable to compile the extensibility code as javascript"


def test_a_script_that_does_not_compile_fails_each_call(node: Any) -> None:
    hook = node.hook("module.exports = (u, c, cb) => {\n  foo bar;\n};")
    for _ in range(2):
        error = hook.call().error
        assert error["message"] == UNCOMPILED
        assert error["error_description"] == (
            "hook.js:2\n  foo bar;\n      ^^^\n\nSyntaxError: Unexpected identifier 'bar'"
        )
        assert "name" not in error


@pytest.mark.parametrize(
    "script",
    [
        "export default function (user, context, cb) {}",
        "import x from 'x';",
        "module.exports = () => import.meta.url;",
    ],
)
def test_an_es_module_is_told_how_to_be_commonjs(node: Any, script: str) -> None:
    error = node.hook(script).call().error
    assert error["message"] == UNCOMPILED
    assert "module.exports = …" in error["error_description"]
    assert (
        "module.exports = …" in node.request("check", script=script, file="hook.js")[0]["message"]
    )


def test_checking_says_message_and_line(node: Any) -> None:
    assert node.request("check", script="let a;\nlet a;", file="hook.js") == [
        {
            "message": "The script is not valid JavaScript: "
            "Identifier 'a' has already been declared.",
            "line": 2,
        }
    ]


def test_checking_a_good_script_says_nothing_and_runs_nothing(node: Any) -> None:
    assert node.request("check", script="throw new Error('ran');", file="hook.js") == []


def test_a_prepared_hook_can_be_checked(node: Any) -> None:
    assert node.request("checkHook", hook=node.hook("foo bar").index)[0]["line"] == 1
    assert node.request("checkHook", hook=node.hook("module.exports = 1").index) == []


@pytest.mark.parametrize("script", ["}); evil(); (function () {", "} {", "*/"])
def test_a_script_cannot_leave_its_function(node: Any, script: str) -> None:
    assert node.request("check", script=script, file="hook.js") != []
    assert node.hook(script).call().error["message"] == UNCOMPILED


def test_a_script_that_throws_while_it_is_run_fails_each_call(node: Any) -> None:
    hook = node.hook("\nthrow Object.assign(new Error('at the top'), { code: 5 });")
    for _ in range(2):
        error = hook.call().error
        assert (error["message"], error["code"]) == ("at the top", 5)
        assert "hook.js:2:" in error["stack"]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("", "an object"),
        ("module.exports = 'text';", "string"),
        ("module.exports = null;", "null"),
        ("exports.hook = (u, c, cb) => cb();", "an object"),
        ("(function (user, context, cb) { cb(); });", "an object"),
    ],
)
def test_a_script_that_exports_no_function_is_told_what_to_write(
    node: Any, script: str, kind: str
) -> None:
    assert node.hook(script).call().error["message"] == (
        f"The script exports no function, but {kind}: "
        "write `module.exports = function (user, context, cb) { … };`."
    )


def test_a_default_export_as_compilers_write_it_is_the_hook(node: Any) -> None:
    hook = node.hook("exports.__esModule = true; exports.default = (u, c, cb) => cb(null, 1);")
    assert hook.call().result == 1


def test_the_script_is_run_once(node: Any) -> None:
    hook = node.hook("console.log('run'); module.exports = (u, c, cb) => cb();")
    assert [(line["scope"], line["text"]) for line in hook.lines] == [(0, "run")]
    assert hook.call().lines == []


def test_a_script_may_declare_names_of_auth0s_classes(node: Any) -> None:
    hook = node.hook(
        """const { ServerError } = require('hookledger');
        class PreUserRegistrationError extends Error {}
        module.exports = (u, c, cb) => cb(new PreUserRegistrationError('own'));"""
    )
    assert "name" not in hook.call().error


def test_a_script_is_in_sloppy_mode_unless_it_says_otherwise(node: Any) -> None:
    answer = "module.exports = (u, c, cb) => cb(null, (function () { return !this; })());"
    assert node.hook(answer).call().result is False
    assert node.hook("'use strict';\n" + answer).call().result is True


def test_module_and_file_names_are_those_of_a_commonjs_module(node: Any) -> None:
    hook = node.hook(
        """const top = this === exports && exports === module.exports;
        module.exports = (u, c, cb) =>
          cb(null, [top, module.id, module.loaded, require.main === module, __filename, __dirname]);"""
    )
    assert hook.call().result == [True, "/hook.js", True, True, "/hook.js", "/"]


def test_a_top_level_return_ends_the_script_as_in_commonjs(node: Any) -> None:
    hook = node.hook("module.exports = (u, c, cb) => cb(null, 1); return; unknown();")
    assert hook.call().result == 1


def test_an_exported_class_is_a_clear_error(node: Any) -> None:
    error = node.hook("module.exports = class Hook {};").call().error
    assert error["message"] == "Class constructor Hook cannot be invoked without 'new'"
