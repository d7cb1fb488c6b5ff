"""Reading scripts of Auth0's for hints: addresses, packages, what may behave in another way."""

from __future__ import annotations

import pytest

from app.domain.manifests.auth0_scripts import (
    addresses_in,
    calls_elsewhere,
    differences_in,
    packages_in,
)


def test_constant_addresses_are_found_with_their_ports() -> None:
    script = """
    axios.get("https://API.example.com/v1"); got('http://plain.example');
    fetch(`https://other.example:8443/${id}`); x("https://[2001:db8::1]:99/");
    axios.get("https://api.example.com/v2");
    """
    assert addresses_in(script) == [
        "api.example.com:443",
        "plain.example:80",
        "other.example:8443",
        "[2001:db8::1]:99",
    ]


def test_claims_comments_and_namespaces_are_no_addresses() -> None:
    script = """
    // see https://docs.example/one
    /* https://docs.example/two
     */
    response["https://shop.example/plan"] = 1;
    cb(null, { "https://shop.example/roles": [] });
    const list = ["https://called.example"];
    const xsd = "http://www.w3.org/2001/XMLSchema";
    """
    assert addresses_in(script) == ["called.example:443"]


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("\nget(`https://${host}/x`)", 2),
        ("\n\nget('https://' + host)", 3),
        ("get('https://api.' + host)", 1),
        ("const axios = require('axios');\naxios(options)", 1),
        ("const axios = require('axios');\naxios('https://a.example/')", None),
        ("module.exports = (user, context, cb) => cb(null, user);", None),
    ],
)
def test_a_call_to_an_address_that_is_not_constant_is_found(script: str, line: int | None) -> None:
    assert calls_elsewhere(script) == line


def test_packages_are_found_with_their_versions_and_without_what_node_has() -> None:
    script = """const a = require('axios@0.21.1'), b = require("@scope/pkg@1.2.3/lib/x");
    const c = require('lodash/get'); const fs = require('fs'), p = require('node:path');
    const own = require('./own'), h = require('hookledger'); const m = await import('esm-only');
    // require('commented')
    """
    assert [(p.name, p.version, p.line) for p in packages_in(script)] == [
        ("axios", "0.21.1", 1),
        ("@scope/pkg", "1.2.3", 1),
        ("lodash", None, 2),
        ("esm-only", None, 3),
    ]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("\nprocess.exit(1)", "process.exit"),
        ("\nprocess.env.KEY", "environment"),
        ("\ncontext.webtask.storage.get(cb)", "not durable"),
        ("\nrequire('./lib')", "one file"),
        ("\nimport axios from 'axios'", "ES modules"),
        ("\nexport default function () {}", "ES modules"),
        ("\nrequire('child_process')", "processes"),
        ("\nrequire('fs').readFileSync", "file system"),
        ("\nconfiguration.API_KEY", "Rules"),
        ("\nsetInterval(f, 1000)", "timers"),
    ],
)
def test_what_behaves_in_another_way_is_found_with_its_line(script: str, said: str) -> None:
    ((line, message),) = differences_in(script)
    assert (line, said in message) == (2, True)


def test_a_plain_hook_has_no_differences() -> None:
    script = "module.exports = function (user, context, cb) {\n  cb(null, {});\n};\n"
    assert list(differences_in(script)) == []


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "piece", ["/*", "require(", "https://a", "a['https://", "import ", " " * 9]
)
def test_a_hostile_script_is_read_in_bounded_time(piece: str) -> None:
    script = piece * (256 * 1024 // len(piece))
    addresses_in(script)
    calls_elsewhere(script)
    packages_in(script)
    list(differences_in(script))
