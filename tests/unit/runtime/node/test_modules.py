"""What ``require`` finds: modules of Node.js, ``hookledger``, the hook's own packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def packages(tmp_path: Path) -> str:
    """Make a folder with `plain` 1.2.3, `@scope/part` 2.0.0-rc.1 and `modern`, an ES module."""
    make(tmp_path, "plain", "1.2.3", {"index.js": "module.exports = 'plain';"})
    make(
        tmp_path,
        "@scope/part",
        "2.0.0-rc.1",
        {
            "index.js": "exports.name = '@scope/part'; exports.plain = require('plain');",
            "lib/x.js": "module.exports = 'x of part';",
        },
    )
    make(tmp_path, "modern", "3.0.0", {"index.js": "export default 'modern';"}, type="module")
    make(tmp_path, "failing", "1.0.0", {"index.js": "throw new Error('in a package');"})
    return str(tmp_path)


def make(folder: Path, name: str, version: str, files: dict[str, str], **more: str) -> None:
    package = folder / "node_modules" / name
    description = {"name": name, "version": version, "main": "index.js"} | more
    for file, text in (files | {"package.json": json.dumps(description)}).items():
        path = package / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def required(node: Any, name: str, packages: str | None = None) -> Any:
    """Call a hook that requires ``name`` at its top."""
    script = f"const found = require('{name}'); module.exports = (u, c, cb) => cb(null, found);"
    return node.hook(script, packages=packages).call()


@pytest.mark.parametrize("name", ["fs", "node:fs", "crypto", "node:test", "fs/promises"])
def test_modules_of_nodejs_are_found(node: Any, name: str) -> None:
    hook = node.hook(f"module.exports = (u, c, cb) => cb(null, typeof require('{name}'));")
    assert hook.call().result in ("object", "function")


def test_a_package_is_found(node: Any, packages: str) -> None:
    assert required(node, "plain", packages).result == "plain"


def test_a_package_is_found_by_its_installed_version(node: Any, packages: str) -> None:
    assert required(node, "plain@1.2.3", packages).result == "plain"


def test_a_scoped_package_is_found(node: Any, packages: str) -> None:
    found = {"name": "@scope/part", "plain": "plain"}
    assert required(node, "@scope/part", packages).result == found
    assert required(node, "@scope/part@2.0.0-rc.1", packages).result == found


@pytest.mark.parametrize("name", ["@scope/part@2.0.0-rc.1/lib/x", "@scope/part/lib/x.js"])
def test_a_path_inside_a_package_is_found(node: Any, packages: str, name: str) -> None:
    assert required(node, name, packages).result == "x of part"


def test_with_and_without_a_version_it_is_the_same_module(node: Any, packages: str) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => cb(null, require('@scope/part') === require('@scope/part@2.0.0-rc.1'));",
        packages=packages,
    )
    assert hook.call().result is True


@pytest.mark.parametrize("version", ["1.2.4", "^1.2.0", "latest", "1"])
def test_another_version_is_refused_naming_the_installed_one(
    node: Any, packages: str, version: str
) -> None:
    error = required(node, f"plain@{version}", packages).error
    assert error["message"] == (
        f"require('plain@{version}'): version 1.2.3 of 'plain' is installed. "
        "Require that one, or change the hook's dependencies."
    )
    assert error["code"] == "MODULE_NOT_FOUND"


@pytest.mark.parametrize(
    "name", ["request", "lodash@4.17.21", "auth0-ext-compilers", "@a/b", "fs@1.0.0"]
)
def test_a_package_that_is_no_dependency_is_refused(node: Any, packages: str, name: str) -> None:
    for folder in (packages, None):
        error = required(node, name, folder).error
        assert "is not among this hook's dependencies" in error["message"]
        assert error["code"] == "MODULE_NOT_FOUND"


@pytest.mark.parametrize("name", ["./x", "../x", "/etc/passwd", ".", "..", "file:///x.js"])
def test_a_file_is_refused_with_the_reason(node: Any, packages: str, name: str) -> None:
    error = required(node, name, packages).error
    assert "a hook is a single file" in error["message"]


@pytest.mark.parametrize("name", ["plain/../../../x", "@scope", "plain@1.2.3/../x", "@/x"])
def test_a_name_that_leaves_its_package_is_refused(node: Any, packages: str, name: str) -> None:
    message = required(node, name, packages).error["message"]
    assert "neither a package nor a module" in message


@pytest.mark.parametrize("argument", ["", "undefined", "3", "''"])
def test_a_name_must_be_given(node: Any, argument: str) -> None:
    hook = node.hook(f"module.exports = (u, c, cb) => require({argument});")
    assert "takes the name of a module" in hook.call().error["message"]


def test_a_hook_may_do_without_a_missing_package(node: Any) -> None:
    hook = node.hook(
        """let found; try { found = require('missing'); } catch (e) { found = e.code; }
        module.exports = (u, c, cb) => cb(null, found);"""
    )
    assert hook.call().result == "MODULE_NOT_FOUND"


def test_stacks_do_not_say_where_packages_lie(node: Any, packages: str) -> None:
    stack = required(node, "failing", packages).error["stack"]
    assert packages not in stack
    assert "node_modules/failing/index.js:1:" in stack
    assert "hook.js:1:" in stack


def test_a_syntax_error_does_not_say_where_packages_lie(node: Any, packages: str) -> None:
    error = node.hook("foo bar", packages=packages).call().error
    assert error["error_description"].startswith("hook.js:1\n")
    assert packages not in json.dumps(error)


def test_resolving_names_the_file(node: Any, packages: str) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => cb(null, [require.resolve('fs'), require.resolve('plain@1.2.3'), module.require === require]);",
        packages=packages,
    )
    assert hook.call().result == ["fs", f"{packages}/node_modules/plain/index.js", True]


def test_a_package_that_is_an_es_module_can_be_imported(node: Any, packages: str) -> None:
    hook = node.hook(
        "module.exports = async (user) => (await import('modern')).default;", packages=packages
    )
    answer = hook.call()
    assert answer.result == "modern"
    assert answer.lines == []


def test_hookledger_gives_the_error_classes(node: Any) -> None:
    hook = node.hook(
        """const h = require('hookledger');
        module.exports = (u, c, cb) => cb(null, [Object.keys(h), h.ServerError === ServerError]);""",
        trigger="credentials-exchange",
    )
    assert hook.call().result == [
        [
            "ExtensibilityUserError",
            "PreUserRegistrationError",
            "SendPhoneMessageError",
            "InvalidScopeError",
            "InvalidRequestError",
            "ServerError",
            "log",
            "invocation",
        ],
        True,
    ]


def test_hookledger_gives_what_the_worker_adds(node: Any) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => cb(null, require('hookledger').http);", extras={"http": 7}
    )
    assert hook.call().result == 7


def test_hookledger_knows_the_running_call(node: Any) -> None:
    hook = node.hook(
        """const { invocation } = require('hookledger');
        const outside = invocation();
        module.exports = async (user) => { await null; return [outside, invocation()]; };"""
    )
    number = hook.start()
    assert hook.finish(number).result == [
        None,
        {"id": f"call-{number}", "deadline": "2026-11-23T00:00:05.000Z"},
    ]
