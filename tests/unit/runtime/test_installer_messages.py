"""What pip and npm say, turned into a sentence at the dependency that is to blame."""

from __future__ import annotations

import json
import re

import pytest

from app.domain.errors import Stalled, Transient
from app.runtime.dependencies import npm, pip
from app.runtime.dependencies.guarded_pip import REFUSAL, guard
from app.runtime.dependencies.processes import Finished

WANTED = {"requests": "9.9.9", "Some_Thing": "1.0"}


def pip_failure(errors: str, output: str = "") -> tuple[str | None, str]:
    failure = pip.read_failure(Finished(1, output, errors), WANTED)
    return failure.package, failure.message


def npm_failure(code: str, summary: str, detail: str = "") -> tuple[str | None, str]:
    said = json.dumps({"error": {"code": code, "summary": summary, "detail": detail}})
    failure = npm.read_failure(Finished(1, said, ""), {"left-pad": "9.9.9", "@a/b": "1.0.0"})
    return failure.package, failure.message


def unmatched(requirement: str, versions: str) -> str:
    return (
        f"ERROR: Could not find a version that satisfies the requirement {requirement} "
        f"(from versions: {versions})\nERROR: No matching distribution found for {requirement}\n"
    )


def test_pip_names_the_newest_version_that_is_no_preview() -> None:
    package, message = pip_failure(unmatched("requests==9.9.9", "2.0.0, 2.31.0, 3.0.0a1"))
    assert package == "requests"
    assert message == (
        "PyPI has no version 9.9.9 of requests as a wheel for this Python; "
        "the newest it offers is 2.31.0"
    )


def test_pip_does_not_know_the_package_or_finds_no_wheel_of_it() -> None:
    said = unmatched("some-thing==1.0", "none")
    assert pip_failure(said) == ("Some_Thing", "PyPI has no wheel of Some_Thing for this Python")
    tried = (
        "  Could not fetch URL https://x/simple/some-thing/: 404 Client Error: Not Found - skipping"
    )
    assert pip_failure(said, tried) == ("Some_Thing", "PyPI has no package Some_Thing")


def test_a_version_for_another_python_is_told_as_such() -> None:
    said = (
        "ERROR: Ignored the following versions that require a different python version: "
        "9.9.8 Requires-Python >=3.98; 9.9.9 Requires-Python >=3.99\n"
    )
    package, message = pip_failure(said + unmatched("requests==9.9.9", "2.31.0"))
    assert package == "requests"
    assert re.fullmatch(r"requests 9\.9\.9 needs Python >=3\.99; this is 3\.\d+", message)


def test_what_a_package_needs_in_turn_is_blamed_on_that_package() -> None:
    package, message = pip_failure(unmatched("odd>=9,<10 (from requests)", "none"))
    assert package == "requests"
    assert message == "it needs odd>=9,<10, of which PyPI has no wheel for this Python"


def test_what_an_unlisted_package_needs_is_blamed_on_nobody_in_particular() -> None:
    package, message = pip_failure(unmatched("odd>=9 (from deeper)", "1.0"))
    assert package is None
    assert message.startswith("odd>=9 is needed")


def test_versions_that_contradict_each_other_are_listed() -> None:
    output = (
        "\nThe conflict is caused by:\n    The user requested urllib3==1.20\n"
        "    requests 2.31.0 depends on urllib3<3 and >=1.21.1\n\nTo fix this you could try to:\n"
    )
    package, message = pip_failure("ERROR: ResolutionImpossible: for help visit …\n", output)
    assert package is None
    assert message == (
        "the versions contradict each other: The user requested urllib3==1.20; "
        "requests 2.31.0 depends on urllib3<3 and >=1.21.1"
    )


@pytest.mark.parametrize(
    "said",
    [
        "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'\n",
        "WARNING: Could not fetch URL https://x/: There was a problem\n",
        "  Could not fetch URL https://x/six/: 502 Server Error: Bad Gateway - skipping\n",
        "  Could not fetch URL https://x/six/: 401 Client Error: Unauthorized - skipping\n",
        "ERROR: HTTP error 503 while getting x\nERROR: 503 Server Error: Service Unavailable",
    ],
)
def test_an_index_that_cannot_be_reached_says_nothing_about_the_package(said: str) -> None:
    with pytest.raises(Transient):
        pip_failure(said + unmatched("requests==9.9.9", "none"))


def test_a_python_without_pip_and_a_full_disk_need_a_person() -> None:
    with pytest.raises(Stalled, match="ensurepip"):
        pip_failure("/usr/bin/python: No module named pip\n")
    with pytest.raises(Stalled, match="disk is full"):
        pip_failure("ERROR: Could not install: [Errno 28] No space left on device\n")
    with pytest.raises(Stalled, match="disk is full"):
        npm_failure("ENOSPC", "no space")


def test_pip_that_was_kept_from_starting_a_program_is_explained() -> None:
    assert pip_failure(f"PermissionError: {REFUSAL}\n")[1].startswith("one of the packages would")


@pytest.mark.parametrize("said", ["", "\n\n", "ERROR: boom\n", "Traceback\nKeyError: 'x'"])
def test_whatever_else_pip_says_comes_through(said: str) -> None:
    package, message = pip_failure(said)
    assert package is None
    assert message in {"pip failed: 1", "pip failed: boom", "pip failed: KeyError: 'x'"}


def test_npm_does_not_know_the_package_or_the_version() -> None:
    detail = "The requested resource '@a/b@1.0.0' could not be found or you do not …"
    assert npm_failure("E404", "Not Found - GET https://x/@a%2fb", detail) == (
        "@a/b",
        "npm has no package @a/b",
    )
    assert npm_failure("ETARGET", "No matching version found for left-pad@9.9.9.") == (
        "left-pad",
        "npm has no version 9.9.9 of left-pad",
    )


def test_what_an_npm_package_needs_in_turn_is_blamed_on_nobody_in_particular() -> None:
    assert npm_failure("ETARGET", "No matching version found for deep@^1.0.0.") == (
        None,
        "npm failed: No matching version found for deep@^1.0.0. (ETARGET)",
    )


@pytest.mark.parametrize(
    "code", ["ECONNREFUSED", "ENOTFOUND", "E503", "E429", "ERR_SOCKET_TIMEOUT"]
)
def test_an_npm_registry_that_cannot_be_reached_says_nothing_about_the_package(code: str) -> None:
    with pytest.raises(Transient, match=code):
        npm_failure(code, "request failed")


def test_npm_packages_by_address_are_explained() -> None:
    for code in ("EALLOWGIT", "EALLOWREMOTE", "ERR_ACCESS_DENIED"):
        assert npm_failure(code, "x")[1].endswith("not from the registry")


def test_npm_peers_that_contradict_each_other_are_listed() -> None:
    detail = (
        "Found: react@17.0.2\nnode_modules/react\n\nCould not resolve dependency:\n"
        'peer react@"^18.2.0" from react-dom@18.2.0\nnode_modules/react-dom\n'
    )
    assert npm_failure("ERESOLVE", "unable to resolve dependency tree", detail)[1] == (
        'the versions contradict each other: peer react@"^18.2.0" from react-dom@18.2.0, '
        "not react@17.0.2"
    )


@pytest.mark.parametrize("output", ["", "null", "[]", "{}", '{"error": 1}', "\x1b[31mnpm"])
def test_an_npm_that_says_nothing_usable_is_quoted(output: str) -> None:
    failure = npm.read_failure(Finished(7, output, "npm error: broken\n"), {})
    assert (failure.package, failure.message) == (None, "npm failed: npm error: broken")


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("subprocess.Popen", ("git", ["git"], None, None)),
        ("os.posix_spawn", ("/bin/sh", [], {})),
        ("os.exec", ("/bin/sh", [], {})),
        ("os.system", (b"sh",)),
        ("os.fork", ()),
        ("os.forkpty", ()),
    ],
)
def test_the_guard_of_pip_refuses_every_way_to_start_a_program(
    event: str, arguments: tuple[object, ...]
) -> None:
    with pytest.raises(OSError, match=REFUSAL):
        guard(event, arguments)


def test_the_guard_of_pip_lets_everything_else_pass() -> None:
    guard("open", ("/etc/passwd", "r", 0))
    guard("subprocess.Popen", ("/lib/ld-musl-x86_64.so.1", [], None, None))
