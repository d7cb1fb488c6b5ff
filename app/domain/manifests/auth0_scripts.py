"""What can be told of a script of Auth0's by reading it: hints for whoever moves it, no proofs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMMENT = re.compile(r"/\*.*?\*/|^[ \t]*//[^\n]*", re.DOTALL | re.MULTILINE)
_REQUIRE = re.compile(r"""\b(?:require|import)\s*\(\s*(['"`])([^'"`\n]{1,300})\1\s*\)""")
_URL = re.compile(
    r"\b(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)(?::([0-9]{1,5}))?(?![\w$.-])"
)
_CLAIM = re.compile(
    r"""[\w)\]]\s*\[\s*(['"`])https?://[^'"`\n]*\1\s*\]|(['"])https?://[^'"\n]*\2\s*:"""
)
"""Names of claims look like addresses, and are keys."""
_OPEN_URL = re.compile(r"""https?://(?:[A-Za-z0-9_.-]*(?:\$\{|['"`]\s*\+))""")
_PACKAGE = re.compile(r"(@[^/@]+/[^/@]+|[^/@]+)(?:@([^/]+))?(?:/.*)?\Z", re.DOTALL)
_PORTS = {"http": 80, "https": 443}
_DOCUMENTATION_HOSTS = ("schemas.", "www.w3.org")

_BUILT_IN = frozenset(
    """
    assert async_hooks buffer child_process cluster console constants crypto dgram
    diagnostics_channel dns domain events fs hookledger http http2 https inspector module net os
    path perf_hooks process punycode querystring readline repl stream string_decoder sys timers tls
    trace_events tty url util v8 vm wasi worker_threads zlib
    """.split()  # noqa: SIM905 (a list to be read)
)
_CALLERS = frozenset(
    """
    @sendgrid/mail auth0 aws-sdk axios bent cross-fetch dgram got http http2 https needle net
    node-fetch nodemailer phin request request-promise request-promise-native superagent tls twilio
    undici
    """.split()  # noqa: SIM905
)
"""What reaches other systems."""

_DIFFERENCES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), said)
    for pattern, said in (
        (r"\bprocess\.exit\s*\(", "`process.exit()` throws here; answer by the callback"),
        (r"\bprocess\.env\b", "the environment is empty; make it a secret"),
        (
            r"\bwebtask\s*\.\s*storage\b",
            "`context.webtask.storage` is not durable here: use it as a cache only",
        ),
        (r"\bcreate_token(?:_url)?\b", "webtask tokens do not exist here"),
        (r"\bwebtask\s*\.\s*token\b", "`context.webtask.token` is always undefined here"),
        (
            r"require\s*\(\s*['\"`]\.{1,2}/",
            "a hook is one file, so `require('./file')` is refused; put it into the script",
        ),
        (
            r"^\s*(?:import\s+[\w*{'\"]|export\s+(?:default|const|function|async|\{))",
            "ES modules are refused; write `require` and `module.exports`",
        ),
        (
            r"\brequire\s*\(\s*['\"`](?:node:)?(?:child_process|worker_threads|cluster)['\"`]",
            "processes and threads are bounded, and files outside of the hook are out of reach",
        ),
        (
            r"\brequire\s*\(\s*['\"`](?:node:)?fs(?:/promises)?['\"`]",
            "the file system holds nothing of the server's, and what is written does not last",
        ),
        (
            r"\bconfiguration\s*\.\s*\w|\bauth0\s*\.\s*(?:baseUrl|accessToken|domain)\b",
            "`configuration` and the global `auth0` belong to Rules; a hook has secrets",
        ),
        (r"\bsetInterval\s*\(", "timers go on after the answer, until the process is replaced"),
    )
)


@dataclass(frozen=True, slots=True)
class Required:
    """A package that a script asks for."""

    name: str
    version: str | None
    """What stands behind ``@``, which Auth0 allowed."""
    line: int


def addresses_in(script: str) -> list[str]:
    """Return ``host:port`` of the constant addresses in a script, in their order."""
    found: dict[str, None] = {}
    for match in _URL.finditer(_CLAIM.sub("", _code(script))):
        scheme, host, port = match.groups()
        if not host.startswith(_DOCUMENTATION_HOSTS):
            found[f"{host.lower()}:{port or _PORTS[scheme]}"] = None
    return list(found)


def calls_elsewhere(script: str) -> int | None:
    """Return a line that reaches another system at an address that is not constant, if one does."""
    code = _code(script)
    match = _OPEN_URL.search(code)
    if match is not None:
        return _line(code, match.start())
    if addresses_in(script):
        return None
    return next((r.line for r in _all_required(code) if r.name in _CALLERS), None)


def packages_in(script: str) -> list[Required]:
    """Return the packages that a script requires, without what Node.js brings."""
    return [
        required
        for required in _all_required(_code(script))
        if required.name.removeprefix("node:") not in _BUILT_IN
        and not required.name.startswith(("node:", ".", "/"))
    ]


def differences_in(script: str) -> Iterator[tuple[int, str]]:
    """Yield line and sentence for what may behave in another way than at Auth0."""
    code = _code(script)
    for pattern, said in _DIFFERENCES:
        if (match := pattern.search(code)) is not None:
            start = match.start() + len(match[0]) - len(match[0].lstrip())
            yield _line(code, start), said


def _all_required(code: str) -> Iterator[Required]:
    seen: set[tuple[str, str | None]] = set()
    for match in _REQUIRE.finditer(code):
        parts = _PACKAGE.match(match[2])
        name, version = (parts[1], parts[2]) if parts is not None else (match[2], None)
        if match[2].startswith("."):
            name, version = match[2], None
        if (name, version) not in seen:
            seen.add((name, version))
            yield Required(name, version, _line(code, match.start()))


def _code(script: str) -> str:
    """Blank comments out, keeping lines; an address may hold ``//``, so only whole lines go."""
    return _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), script)


def _line(code: str, offset: int) -> int:
    return code.count("\n", 0, offset) + 1
