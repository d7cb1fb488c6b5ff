"""Folders of Auth0's Deploy CLI, read from commits as they are, and as hostile as any."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import Rejected
from app.domain.plans.plan import DesiredState
from app.domain.revisions import TreeSha
from app.gitops.formats.choice import FormatSettings
from app.gitops.source import LocalRepository

SCRIPT = "module.exports = function (user, context, cb) { cb(null, {}); };\n"
PRE = "pre-user-registration"
KEYWORDS: dict[str, Any] = {
    "TOKEN": "s3cret-token",
    "DOMAINS": ["a.example", "b.example"],
    "ON": True,
    "ALL": {"ONE": "first-value", "TWO": "second-value"},
}


def members(name: str = "block-mail", **others: Any) -> dict[str, Any]:
    return {"name": name, "triggerId": PRE, "script": f"./{name}.js"} | others


def directory(*hooks: dict[str, Any], script: str = SCRIPT) -> dict[str, str]:
    files = {"tenant.json": "{}", "clients/app.json": '{"name": "app"}'}
    for hook in hooks:
        stem = hook["script"].removeprefix("./").removesuffix(".js")
        files[f"hooks/{stem}.json"] = json.dumps(hook, indent=2)
        files[f"hooks/{stem}.js"] = script
    return files


@pytest.fixture
def read(theirs: Any, tmp_path: Path) -> Any:
    opened: list[LocalRepository] = []

    def read_commit(
        files: dict[str, Any],
        *,
        kind: Any = "auto",
        keywords: dict[str, Any] = KEYWORDS,
        path: str = "",
        since: TreeSha | None = None,
    ) -> DesiredState:
        commit = theirs.commit(files)
        repository = LocalRepository(
            theirs.location,
            "main",
            path,
            tmp_path / "mirror",
            formats=FormatSettings(kind, keywords),
        )
        opened.append(repository)
        return repository.desired(commit, since)

    yield read_commit
    for repository in opened:
        repository.close()


def refusal(read: Callable[..., DesiredState], *arguments: Any, **options: Any) -> str:
    with pytest.raises(Rejected) as caught:
        read(*arguments, **options)
    return str(caught.value)


def test_a_directory_is_read_as_it_is(read: Any) -> None:
    said = members(
        "block-mail", enabled=True, dependencies={"semver": "7.5.4"}, secrets={"T": "##TOKEN##"}
    )
    state = read(directory(said, members("second")))
    assert state.complete
    first, second = state.hooks
    assert (first.name, first.trigger, first.language) == ("block-mail", PRE, "node")
    assert (first.path, first.script_place) == ("hooks/block-mail.json", "hooks/block-mail.js")
    assert first.script == SCRIPT
    assert first.dependencies == {"semver": "7.5.4"}
    assert first.secrets == {"T": "s3cret-token"}
    assert first.settings == {
        "enabled": True,
        "order": 0,
        "timeout_ms": 20_000,
        "network": [],
        "required_secrets": ["T"],
        "prune": "auto",
    }
    assert (second.enabled, second.secrets) == (False, None)


def test_a_yaml_file_is_read_as_it_is(read: Any) -> None:
    state = read(
        {
            "tenant.yaml": """\
tenant: { friendly_name: "##SOMETHING_ELSE##" }
clients: [{ name: app, secret: "@@NOT_OURS@@" }]
hooks:
  - name: Block Mail
    triggerId: pre-user-registration
    enabled: @@ON@@
    script: ./hooks/block.js
    dependencies: { semver: 7.5.4, left-pad: 1.10.0 }
    secrets:
      T: ##TOKEN##
      KEPT: _VALUE_NOT_SHOWN_
  - { name: other, triggerId: credentials-exchange, script: hooks/block.js }
""",
            "hooks/block.js": SCRIPT,
        }
    )
    first, other = state.hooks
    assert (first.name, first.path, first.script_place) == (
        "block-mail",
        "tenant.yaml",
        "hooks/block.js",
    )
    assert first.enabled
    assert first.dependencies == {"semver": "7.5.4", "left-pad": "1.10.0"}
    assert first.secrets == {"T": "s3cret-token", "KEPT": None}
    assert (other.trigger, other.enabled, other.secrets) == ("credentials-exchange", False, None)


def test_a_byte_order_mark_and_windows_places_are_no_hindrance(read: Any) -> None:
    files = directory(members())
    files["hooks/block-mail.json"] = "\ufeff" + json.dumps(members(script=".\\block-mail.js"))
    assert read(files).hooks[0].script_place == "hooks/block-mail.js"


def test_a_folder_below_the_root_may_be_followed(read: Any) -> None:
    files = {f"auth0/{place}": text for place, text in directory(members()).items()}
    (hook,) = read(files, path="auth0").hooks
    assert hook.path == "hooks/block-mail.json"
    broken = files | {"auth0/hooks/block-mail.json": "{"}
    assert "auth0/hooks/block-mail.json:1: is not JSON" in refusal(read, broken, path="auth0")


def test_markers_are_resolved_as_the_deploy_cli_resolves_them(read: Any) -> None:
    text = """{
      "name": "block-mail", "triggerId": "pre-user-registration", "script": "./block-mail.js",
      "enabled": @@ON@@, "secrets": {"A": "@@TOKEN@@", "B": "Bearer ##TOKEN##", "L": "##DOMAINS##"}
    }"""
    script = 'module.exports = (u, c, cb) => cb(null, ["@@DOMAINS@@", @@DOMAINS@@, "##TOKEN##"]);'
    files = directory(members(), script=script) | {"hooks/block-mail.json": text}
    (hook,) = read(files).hooks
    assert hook.enabled
    listed = '["a.example","b.example"]'
    assert hook.secrets == {"A": "s3cret-token", "B": "Bearer s3cret-token", "L": listed}
    assert (
        hook.script
        == f'module.exports = (u, c, cb) => cb(null, [{listed}, {listed}, "s3cret-token"]);'
    )
    bare = text.replace("@@ON@@", "##ON##")
    assert read(files | {"hooks/block-mail.json": bare}).hooks[0].enabled
    whole = json.dumps(members(secrets="@@ALL@@"))
    assert read(files | {"hooks/block-mail.json": whole}).hooks[0].secrets == KEYWORDS["ALL"]


def test_an_unresolved_marker_is_named_with_file_and_line(read: Any) -> None:
    files = directory(
        members(secrets={"A": "##NOWHERE##"}), script="// first line\nvar a = @@MISSING@@;\n"
    )
    said = refusal(read, files)
    assert "hooks/block-mail.json:6: secrets.A: ##NOWHERE## has no value" in said
    assert "hooks/block-mail.js:2: @@MISSING@@ has no value" in said


@pytest.mark.parametrize("value", ["plain-Value-1", "", 5, None, True])
def test_the_value_of_a_secret_may_not_stand_in_the_repository(read: Any, value: Any) -> None:
    said = refusal(read, directory(members(secrets={"API_KEY": value})))
    assert "values of secrets may not stand in the repository" in said
    assert '"##API_KEY##"' in said
    assert "hooks/block-mail.json:6: secrets.API_KEY" in said
    assert "plain-Value-1" not in said


def test_what_a_keyword_stands_for_is_never_told(read: Any) -> None:
    keywords = {"S": "very-secret-value"}
    everywhere = dict.fromkeys(members(enabled=1, dependencies={}, network=[]), "##S##")
    assert "very-secret-value" not in refusal(
        read,
        directory(members())
        | {
            "hooks/block-mail.json": json.dumps(
                everywhere | {"script": "./block-mail.js", "name": "##S## ?"}
            )
        },
        keywords=keywords,
    )
    packages = {"hooks/block-mail.json": json.dumps(members(dependencies={"a": "##S##"}))}
    assert "very-secret-value" not in refusal(read, packages, keywords=keywords)
    assert "very-secret-value" not in repr(FormatSettings("auto", keywords))


def test_secrets_left_out_stay_and_an_empty_object_has_none(read: Any) -> None:
    assert read(directory(members())).hooks[0].secrets is None
    assert read(directory(members(secrets={}))).hooks[0].secrets == {}


def test_every_problem_of_every_file_is_told_at_once(read: Any) -> None:
    said = refusal(
        read,
        directory(
            members("one", triggerId="login", dependencies={"semver": "^7.0.0"}),
            members("two", enabled="yes", scripts="x"),
            members("three") | {"name": "-bad-"},
        )
        | {"hooks/four.json": '{"name": "four", "name": "five"}', "hooks/six.json": "[]"},
    )
    for part in (
        "hooks/one.json:3: triggerId: is no trigger of this server",
        "hooks/one.json:6: dependencies.semver: must be one exact version",
        "hooks/two.json:5: enabled: must be true or false",
        "hooks/two.json:6: scripts: unknown member; did you mean `script`?",
        "hooks/three.json:2: name: must be",
        "hooks/four.json: name: stands twice",
        "hooks/six.json:1: must be an object",
    ):
        assert part in said


def test_two_hooks_of_one_name_are_refused_in_both_files(read: Any) -> None:
    files = directory(members("one"), members("two") | {"name": "ONE"})
    said = refusal(read, files)
    assert "hooks/one.json:2: name: the name `one` is claimed twice" in said
    assert "hooks/two.json:2: name: the name `one` is claimed twice" in said


@pytest.mark.parametrize(
    "place", ["../outside.js", "./../../outside.js", "/etc/passwd.js", "hooks/../../outside.js"]
)
def test_a_script_may_not_lie_outside_of_the_followed_folder(read: Any, place: str) -> None:
    files = {f"auth0/{k}": v for k, v in directory(members()).items()} | {"outside.js": SCRIPT}
    files["auth0/hooks/block-mail.json"] = json.dumps(members(script=place))
    said = refusal(read, files, path="auth0")
    assert "script: leads out of the followed folder" in said or "no such file" in said


def test_symbolic_links_are_not_followed(theirs: Any, read: Any) -> None:
    theirs.write(directory(members()) | {"hooks/b.json": json.dumps(members())})
    (theirs.location / "hooks/block-mail.js").unlink()
    (theirs.location / "hooks/block-mail.js").symlink_to("/etc/hostname")
    (theirs.location / "hooks/linked.json").symlink_to("block-mail.json")
    said = refusal(read, {})
    assert "hooks/linked.json: is a symbolic link, which is not followed" in said
    assert "hooks/block-mail.js: is a symbolic link, which is not followed" in said


def test_what_is_too_large_is_refused(read: Any) -> None:
    said = refusal(read, directory(members("a"), script="x" * 300_000))
    assert "hooks/a.js: is 300000 bytes" in said
    said = refusal(read, {"hooks/a.json": json.dumps(members("a", secrets={"x": "y" * 70_000}))})
    assert "hooks/a.json: is 70" in said
    blown = {"A": "##DOUBLE##" * 10}
    files = directory(members("a", secrets=blown), script="##DOUBLE##" * 20_000)
    assert "with its keywords" in refusal(read, files, keywords={"DOUBLE": "d" * 4000})


def test_a_small_commit_cannot_make_us_read_without_end(read: Any) -> None:
    files = {"hooks/a.js": "x" * 262_000}
    for number in range(300):
        said = members(f"hook-{number}") | {"script": "./a.js"}
        files[f"hooks/{number}.json"] = json.dumps(said)
    assert "64 MiB in all" in refusal(read, files)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x [1]\nhooks: *x\n", "tenant.yaml:2: aliases"),
        ("hooks:\n  - !!python/object/apply:os.system [id]\n", "tags"),
        ("hooks: !x y\n", "tenant.yaml:1: tags"),
        ("hooks: []\n---\nhooks: []\n", "several documents"),
        ("hooks: []\nhooks: []\n", "tenant.yaml:2: the key stands twice"),
        (f"hooks: {'[' * 100}{']' * 100}\n", "nested deeper"),
        (f"hooks: {'{a: ' * 100}1{'}' * 100}\n", "nested deeper"),
        ("hooks: [\n", "is not YAML"),
        ("hooks: []\nx: [" + "1," * 250_000 + "]\n", "parts"),
        ("hooks:\n  a: b\n", "there is no such list"),
        ("clients: []\n", "there is no such list"),
        ("- hooks\n", "there is no such list"),
        ("hooks:\n  - text\n", "must be an object"),
        ("hooks: []\nx: \ue000#TOKEN\ue001\n", "private use"),
        ("hooks: []\nx: \x07\n", "is not YAML"),
    ],
)
def test_hostile_yaml_is_refused(read: Any, text: str, reason: str) -> None:
    assert reason in refusal(read, {"tenant.yaml": text})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 60_000, "nested too deeply"),
        ('{"name": "\\ud800", "triggerId": "x", "script": "./a.js"}', "name: must be a text"),
        ('{"order": ' + "9" * 10_000 + "}", "too long a number"),
        ('{"name": "\ue000#TOKEN\ue001"}', "private use"),
        ('{"script": "./a\\u0000.js", "name": "a", "triggerId": "x"}', "no such file"),
    ],
)
def test_hostile_json_is_refused(read: Any, text: str, reason: str) -> None:
    files = {"hooks/a.json": text, "hooks/a.js": SCRIPT}
    assert reason in refusal(read, files, kind="auth0-directory")


def test_a_file_that_is_no_text_or_kept_elsewhere_is_refused(read: Any) -> None:
    assert "is not UTF-8" in refusal(read, {"tenant.json": "{}", "hooks/a.json": b"\xff{}"})
    pointer = "version https://git-lfs.github.com/spec/v1\n"
    assert "Git LFS" in refusal(read, directory(members("a")) | {"hooks/a.js": pointer})


def test_what_stands_in_several_formats_is_not_guessed(read: Any) -> None:
    native = {"hooks/a/hook.toml": 'trigger = "pre-user-registration"', "hooks/a/hook.js": SCRIPT}
    both = directory(members()) | native
    said = refusal(read, both)
    assert "`hooks/block-mail.json` (auth0-directory)" in said
    assert "`hooks/a/hook.toml` (native)" in said
    assert "repo_format" in said
    assert [hook.name for hook in read({}, kind="auth0-directory").hooks] == ["block-mail"]
    assert [hook.name for hook in read({}, kind="native").hooks] == ["a"]


def test_scripts_that_nothing_describes_are_not_taken_for_an_empty_repository(read: Any) -> None:
    assert "nothing that describes a hook" in refusal(read, {"hooks/a.js": SCRIPT})
    assert "nothing that describes a hook" in refusal(
        read, {"hooks/a.js": None, "hooks/a.json": "{"}
    )


def test_two_lists_of_hooks_are_refused(read: Any) -> None:
    files = {"one.yaml": "hooks: []\n", "two.yml": "hooks: []\n", ".other.yaml": "hooks: []\n"}
    said = refusal(read, files)
    assert "one.yaml: holds a list of hooks" in said
    assert "two.yml: holds a list of hooks" in said


def test_a_yaml_file_of_another_tool_does_not_change_a_repository_of_ours(read: Any) -> None:
    files = {
        ".pre-commit-config.yaml": "hooks: []\n",
        "ci.yaml": "jobs:\n  hooks: []\n",
        "openapi.yaml": "hooks:\n" + "# long\n" * 200_000,
        "hooks/package.json": '{"name": "tools"}',
        "hooks/eslint.config.js": "module.exports = [];\n",
        "hooks/pre-user-registration/a/hook.toml": "",
        "hooks/pre-user-registration/a/hook.js": SCRIPT,
    }
    assert [hook.path for hook in read(files).hooks] == ["hooks/pre-user-registration/a"]


def test_a_change_of_format_is_read_whole(theirs: Any, read: Any) -> None:
    former = read(directory(members()))
    theirs.git("rm", "-r", "--quiet", ".")
    native = {"hooks/a/hook.toml": 'trigger = "pre-user-registration"', "hooks/a/hook.js": SCRIPT}
    state = read(native, since=former.tree)
    assert state.complete
    assert [hook.name for hook in state.hooks] == ["a"]
    theirs.git("rm", "-r", "--quiet", ".")
    back = read(directory(members()), since=state.tree)
    assert back.complete
    assert [hook.name for hook in back.hooks] == ["block-mail"]


def test_the_same_tree_is_read_again_as_keywords_may_have_changed(read: Any) -> None:
    former = read(directory(members(secrets={"T": "##TOKEN##"})))
    again = read({}, since=former.tree, keywords={"TOKEN": "another-value"})
    assert again.tree == former.tree
    assert again.hooks[0].secrets == {"T": "another-value"}


def test_our_own_members_are_read_from_these_formats_too(read: Any) -> None:
    said = members(network=["api.example.com:443"], timeout="3s", order=7)
    settings = read(directory(said)).hooks[0].settings
    assert settings["network"] == ["api.example.com:443"]
    assert (settings["timeout_ms"], settings["order"]) == (3000, 7)
    wrong = refusal(read, directory(members(network=["*"], timeout="1h", order="x")))
    assert "network[0]: must be `host:port`" in wrong
    assert "timeout: must be a duration" in wrong
    assert "order: must be a whole number" in wrong


def test_custom_triggers_and_python_work_in_these_formats_too(read: Any) -> None:
    files = {"hooks/a.json": json.dumps(members("a", triggerId="order-placed", script="a.py"))}
    files |= {"hooks/a.py": "def hook(event, context):\n    return {}\n"}
    files |= {"triggers/order-placed.toml": "", "triggers/triggers.json": "{}"}
    state = read(files)
    assert (state.hooks[0].trigger, state.hooks[0].language) == ("order-placed", "python")
    assert [trigger.id for trigger in state.triggers] == ["order-placed"]
