"""A hook's folder in, the desired hook or every problem out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.documents.toml_lines import find_lines
from app.domain.errors import Problem, Rejected
from app.domain.manifests.manifest import MAX_SCRIPT_BYTES, parse_manifest
from app.domain.plans.plan import DesiredHook
from app.domain.triggers.repository_settings import ManifestDefaults

TRIGGERS = ("credentials-exchange", "pre-user-registration", "send-phone-message")
FOLDER = "hooks/pre-user-registration/no-throwaway"
PYTHON = {"hook.py": b"def hook(user, context):\n    return {}\n"}


def parse(
    manifest: str | bytes = "",
    folder: str = FOLDER,
    files: Mapping[str, bytes] = PYTHON,
    defaults: ManifestDefaults | None = None,
) -> DesiredHook:
    data = manifest.encode() if isinstance(manifest, str) else manifest
    return parse_manifest(folder, data, files, TRIGGERS, defaults)


def problems_of(manifest: str | bytes, **arguments: Any) -> tuple[Problem, ...]:
    with pytest.raises(Rejected) as refusal:
        parse(manifest, **arguments)
    return refusal.value.problems


def only_problem_of(manifest: str | bytes, **arguments: Any) -> Problem:
    found = problems_of(manifest, **arguments)
    assert len(found) == 1, found
    return found[0]


def test_an_empty_manifest_is_a_disabled_hook_named_after_its_folders() -> None:
    assert parse() == DesiredHook(
        name="no-throwaway",
        trigger="pre-user-registration",
        path=FOLDER,
        language="python",
        script="def hook(user, context):\n    return {}\n",
        script_file="hook.py",
        dependencies={},
        settings={
            "enabled": False,
            "order": 0,
            "timeout_ms": 5000,
            "network": [],
            "required_secrets": [],
            "prune": "auto",
        },
    )


def test_every_key_is_read() -> None:
    hook = parse(
        """
        name = "other"
        trigger = "send-phone-message"
        enabled = true
        script = "sms.js"
        order = -3
        timeout = "1.5s"
        network = ["api.example.com:443", "[::1]:8080", "10.0.0.1:25"]
        prune = false
        [dependencies]
        twilio = "5.3.0"
        "@scope/pkg" = "1.0.0-beta.2"
        [secrets]
        required = ["API_KEY", "other.key"]
        """,
        files={"sms.js": b"module.exports = 1"},
    )
    assert (hook.name, hook.trigger, hook.language) == ("other", "send-phone-message", "node")
    assert (hook.script_file, hook.script) == ("sms.js", "module.exports = 1")
    assert hook.dependencies == {"twilio": "5.3.0", "@scope/pkg": "1.0.0-beta.2"}
    assert hook.settings == {
        "enabled": True,
        "order": -3,
        "timeout_ms": 1500,
        "network": ["api.example.com:443", "[::1]:8080", "10.0.0.1:25"],
        "required_secrets": ["API_KEY", "other.key"],
        "prune": False,
    }


def test_the_nearest_folder_that_names_a_trigger_counts() -> None:
    folder = "hooks/credentials-exchange/team-a/pre-user-registration/group/x"
    assert parse(folder=folder).trigger == "pre-user-registration"


def test_the_hooks_own_folder_does_not_name_its_trigger() -> None:
    problem = only_problem_of("", folder="hooks/send-phone-message")
    assert problem.key == "trigger"
    assert "send-phone-message" in problem.message


def test_python_is_preferred_when_both_default_scripts_exist() -> None:
    files = {"hook.js": b"1", "hook.py": b"2"}
    assert parse(files=files).script == "2"
    assert parse(files={"hook.js": b"1"}).language == "node"


def test_all_problems_are_reported_at_once_with_file_line_and_key() -> None:
    text = """enabld = true
order = "first"
timeout = "5 minutes"

network = [
  "api.example.com:443",  # fine
  "https://api.example.com",
]

[secrets]
required = ["ok", "not ok"]
api_key = "hunter2"

[dependencies]
requests = ">=2"
"""
    found = problems_of(text, files={})
    assert {(p.line, p.key) for p in found} == {
        (1, "enabld"),
        (2, "order"),
        (3, "timeout"),
        (7, "network[1]"),
        (11, "secrets.required[1]"),
        (12, "secrets.api_key"),
        (15, "dependencies.requests"),
        (None, "script"),
    }
    assert {p.file for p in found} == {f"{FOLDER}/hook.toml"}


def test_an_unknown_key_is_answered_with_the_nearest_known_one() -> None:
    assert "did you mean `enabled`?" in only_problem_of("enabel = true").message
    assert "known are: name, trigger" in only_problem_of("zzz = 1").message


def test_a_flood_of_unknown_keys_is_reported_shortly() -> None:
    found = problems_of("\n".join(f"k{n} = 1" for n in range(5000)))
    assert len(found) == 21
    assert "4980 more" in found[-1].message


def test_a_secret_value_is_refused_and_not_repeated() -> None:
    problem = only_problem_of('[secrets]\nAPI_KEY = "hunter2"')
    assert "hookledger secrets set" in problem.message
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    "credential",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "ghp_" + "a" * 36,
        "sk_live_" + "b" * 20,
        "xoxb-" + "1234567890-abc",
    ],
)
def test_well_known_credentials_are_refused_even_in_comments(credential: str) -> None:
    problem = only_problem_of(f"enabled = true\n# old: {credential}\n")
    assert problem.line == 2
    assert "credential" in problem.message
    assert credential not in str(problem)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("10ms", 10), ("500ms", 500), ("20s", 20_000), ("0.25s", 250), ("19999ms", 19_999)],
)
def test_timeouts_are_durations(text: str, milliseconds: int) -> None:
    assert parse(f'timeout = "{text}"').settings["timeout_ms"] == milliseconds


@pytest.mark.parametrize(
    "written",
    [
        '"9ms"',
        '"21s"',
        '"0s"',
        '"5"',
        '"5m"',
        '"-1s"',
        '"5s\\n"',
        "5",
        "5.0",
        '"1e3ms"',
        '"\N{ARABIC-INDIC DIGIT FIVE}s"',
    ],
)
def test_other_timeouts_are_refused(written: str) -> None:
    assert only_problem_of(f"timeout = {written}").key == "timeout"


@pytest.mark.parametrize(
    "entry",
    ["host", "host:0", "host:65536", "host:http", "a b:1", "http://h:1", "*:443", ":443", "h:1\n"],
)
def test_addresses_that_are_not_host_and_port_are_refused(entry: str) -> None:
    escaped = entry.replace("\n", "\\n")
    assert only_problem_of(f'network = ["{escaped}"]').key == "network[0]"


def test_an_address_listed_twice_is_refused() -> None:
    assert "twice" in only_problem_of('network = ["a:1", "a:1"]').message


@pytest.mark.parametrize(
    "version", [">=1", "^1.0", "~1", "*", "latest", "1.x", "1.0 || 2.0", "", "git+https://x"]
)
@pytest.mark.parametrize("files", [PYTHON, {"hook.js": b"1"}])
def test_only_exact_versions_are_accepted(version: str, files: Mapping[str, bytes]) -> None:
    problem = only_problem_of(f'[dependencies]\nx = "{version}"', files=files)
    assert (problem.line, problem.key) == (2, "dependencies.x")


@pytest.mark.parametrize("version", ["1", "1.2", "1.2.3rc1", "2024.1.post2", "1!2.0", "1.0+local"])
def test_python_versions_in_normal_form_are_exact(version: str) -> None:
    assert parse(f'[dependencies]\nx = "{version}"').dependencies == {"x": version}


def test_a_short_npm_version_is_a_range_and_refused() -> None:
    problem = only_problem_of('[dependencies]\nx = "1.2"', files={"hook.js": b"1"})
    assert problem.key == "dependencies.x"


@pytest.mark.parametrize("files", [PYTHON, {"hook.js": b"1"}])
@pytest.mark.parametrize("name", ["--index-url", "../x", "a b", "https://x/y"])
def test_package_names_that_could_be_options_or_paths_are_refused(
    name: str, files: Mapping[str, bytes]
) -> None:
    assert (
        "package name"
        in only_problem_of(f'[dependencies]\n"{name}" = "1.0.0"', files=files).message
    )


@pytest.mark.parametrize("value", ['"no"', "true", "0", "[]"])
def test_prune_has_three_values(value: str) -> None:
    assert only_problem_of(f"prune = {value}").key == "prune"


def test_a_bad_name_is_reported_whether_written_or_taken_from_the_folder() -> None:
    assert only_problem_of('\nname = "No Good"').line == 2
    problem = only_problem_of("", folder="hooks/send-phone-message/My_Hook")
    assert "My_Hook" in problem.message
    assert problem.key == "name"


def test_an_unknown_trigger_is_answered_with_the_known_ones() -> None:
    problem = only_problem_of('trigger = "post-login"')
    assert "credentials-exchange" in problem.message
    assert only_problem_of("trigger = 1").key == "trigger"


@pytest.mark.parametrize("script", ["../hook.py", "sub/hook.py", "hook.rb", "gone.py", "hook"])
def test_a_script_is_a_python_or_javascript_file_of_the_same_folder(script: str) -> None:
    assert (
        only_problem_of(f'script = "{script}"', files={"hook.rb": b"x", **PYTHON}).key == "script"
    )


@pytest.mark.parametrize(
    ("content", "line", "word"),
    [
        (b"", None, "empty"),
        (b" \n\t\n", None, "empty"),
        (b"a\nb\n\xff\n", 3, "UTF-8"),
        (b"a\n\0", 2, "NUL"),
        (b"#" * (MAX_SCRIPT_BYTES + 1), None, "256 KiB"),
    ],
)
def test_scripts_that_cannot_be_stored_are_refused(
    content: bytes, line: int | None, word: str
) -> None:
    problem = only_problem_of("", files={"hook.py": content})
    assert (problem.file, problem.line) == (f"{FOLDER}/hook.py", line)
    assert word in problem.message


def test_a_script_of_the_greatest_size_is_accepted() -> None:
    assert len(parse(files={"hook.py": b"#" * MAX_SCRIPT_BYTES}).script) == MAX_SCRIPT_BYTES


def test_a_file_that_cannot_be_had_adds_its_own_problem() -> None:
    class Refusing(dict[str, bytes]):
        def __getitem__(self, name: str) -> bytes:
            raise Rejected("no", problems=[Problem("is too large", file=name)])

    found = problems_of("ordr = 1", files=Refusing(PYTHON))
    assert {p.message for p in found} >= {"is too large"}
    assert len(found) == 2


@pytest.mark.parametrize(
    ("manifest", "line"),
    [
        ("enabled = true\nname = \n", 2),
        ("a = 1\n\na = 2", 3),
        ("[x", 1),
        (b"ok = 1\nx = '\xff'\n", 2),
        ("x = " + "[" * 20_000, None),
        ("x = " + "9" * 5000, 1),
        (b"#" * 70_000, None),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(manifest: str | bytes, line: int | None) -> None:
    problem = only_problem_of(manifest)
    assert problem.file == f"{FOLDER}/hook.toml"
    assert problem.line == line


def test_characters_that_steer_a_terminal_are_not_repeated() -> None:
    problem = only_problem_of('"\\u001b[31mred" = 1')
    assert problem.key is not None
    assert "\x1b" not in str(problem)


@pytest.mark.parametrize(
    "text",
    ["name = 1", "enabled = 1", "order = true", "network = 'a:1'", "dependencies = 1",
     "secrets = []", "[secrets]\nrequired = 'x'",
     "script = 1", "order = 9999999", "[secrets]\nrequired = [1]", "[secrets]\nrequired = ['a', 'a']"],
)  # fmt: skip
def test_values_of_the_wrong_kind_are_refused(text: str) -> None:
    assert only_problem_of(text).line is not None


def test_windows_line_ends_and_a_byte_order_mark_are_accepted() -> None:
    assert parse(b"\xef\xbb\xbfenabled = true\r\norder = 2\r\n").settings["order"] == 2


def test_lines_are_found_past_everything_that_only_looks_like_a_key() -> None:
    text = '''a = """
b = 1
\\""" # [c]
""" # d = 1
e = \'\'\'
[f]\'\'\'\'
"quoted . key".'x' . y = [1979-05-27 07:32:00, "]",
  { g = "=", h = [ 1 ] }, # i = 1
]
[ j . "k" ]
l = { m = { n = 1 }, o = "}" }
[[p]]
q = 1979-05-27 07:32:00
r = 1
'''
    assert tomllib.loads(text)
    assert find_lines(text) == {
        ("a",): 1,
        ("e",): 5,
        ("quoted . key",): 7,
        ("quoted . key", "x"): 7,
        ("quoted . key", "x", "y"): 7,
        ("quoted . key", "x", "y", 0): 7,
        ("quoted . key", "x", "y", 1): 7,
        ("quoted . key", "x", "y", 2): 8,
        ("quoted . key", "x", "y", 2, "g"): 8,
        ("quoted . key", "x", "y", 2, "h"): 8,
        ("quoted . key", "x", "y", 2, "h", 0): 8,
        ("j",): 10,
        ("j", "k"): 10,
        ("j", "k", "l"): 11,
        ("j", "k", "l", "m"): 11,
        ("j", "k", "l", "m", "n"): 11,
        ("j", "k", "l", "o"): 11,
        ("p",): 12,
        ("p", "q"): 13,
        ("p", "r"): 14,
    }


_PIECES = st.sampled_from(
    ["a", "b", '"c d"', "'e'", ".", " = ", "=", "1", '"x"', "'''y\n'''", '"""z\n\\""""', "[", "]",
     "{", "}", ",", "\n", "\r\n", " ", "# t\n", "true", "[a]\n", "[[b]]\n", "a.b = 1\n"],
)  # fmt: skip


@given(st.lists(_PIECES, max_size=25).map("".join))
@example('a = """"""\n')
@example("a = '''''''\nb = 1")
def test_every_key_of_every_valid_document_has_a_line(text: str) -> None:
    try:
        members = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    lines = find_lines(text.replace("\r\n", "\n"))
    for path in _keys_of(members, ()):
        assert path in lines
        assert 1 <= lines[path] <= text.count("\n") + 1


def _keys_of(members: Any, at: tuple[str, ...]) -> list[tuple[str, ...]]:
    if isinstance(members, list):
        return [path for member in members[:1] for path in _keys_of(member, at)] if at == () else []
    if not isinstance(members, dict):
        return []
    return [
        path
        for key, value in members.items()
        for path in [(*at, key), *_keys_of(value, (*at, key))]
    ]


def test_a_generic_webtask_is_written_in_javascript() -> None:
    folder = "hooks/generic/a-webtask"
    hook = parse_manifest(folder, b"", {"hook.js": b"module.exports = 1"}, ["generic"])
    assert hook.language == "node"
    with pytest.raises(Rejected) as refusal:
        parse_manifest(folder, b"", {"hook.py": b"def hook(context): ..."}, ["generic"])
    assert "node only" in refusal.value.problems[0].message
