"""``hookledger migrate``: our layout out of an export, and nothing is passed over in silence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from app.cli.main import cli
from app.gitops.worktree import read_worktree

EXPORT = Path(__file__).resolve().parents[2] / "data" / "auth0-export"
SCRIPT = "module.exports = function (user, context, cb) { cb(null, {}); };\n"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOOKLEDGER_DATA_DIR", str(tmp_path / "var"))
    before = os.umask(0o022)
    yield
    os.umask(before)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def migrated(source: Path, output: Path, *options: str) -> dict[str, Any]:
    result = run("migrate", source, "--output", output, "--json", *options)
    assert result.exit_code == 0, result.output + repr(result.exception)
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def directory(root: Path, *hooks: dict[str, Any], script: str = SCRIPT) -> Path:
    (root / "hooks").mkdir(parents=True)
    for number, hook in enumerate(hooks):
        members = {
            "name": f"hook-{number}",
            "triggerId": "pre-user-registration",
            "script": f"./{number}.js",
        }
        (root / f"hooks/{number}.json").write_text(json.dumps(members | hook))
        (root / f"hooks/{number}.js").write_text(script)
    return root


def about(told: dict[str, Any], kind: str) -> list[str]:
    return [f"{f['hook']}: {f['message']}" for f in told["findings"] if f["kind"] == kind]


def test_the_sample_export_becomes_hooks_that_can_be_read(tmp_path: Path) -> None:
    told = migrated(EXPORT, tmp_path / "moved")
    _, read = read_worktree(tmp_path / "moved")
    hooks = {hook.name: hook for hook, _ in read}
    assert {name: (hook.trigger, hook.enabled) for name, hook in hooks.items()} == {
        "add-plan-claim": ("credentials-exchange", True),
        "block-disposable-mail": ("pre-user-registration", True),
        "compose-sms": ("send-phone-message", False),
        "flag-sessions": ("post-change-password", False),
        "welcome-note": ("post-user-registration", True),
    }
    scripts = list((EXPORT / "hooks").glob("*.js"))
    for name, hook in hooks.items():
        (original,) = (s for s in scripts if s.stem.lower().replace(" ", "-") == name)
        assert hook.script == original.read_text()
        assert hook.settings["timeout_ms"] == 20_000
        assert hook.settings["network"] == []
    assert hooks["add-plan-claim"].dependencies == {"semver": "7.5.4"}
    assert hooks["compose-sms"].dependencies == {"lodash": "4.17.21", "request": "2.88.0"}
    assert hooks["welcome-note"].settings["required_secrets"] == ["CRM_TOKEN"]
    manifest = (tmp_path / "moved/hooks/post-user-registration/welcome-note/hook.toml").read_text()
    assert '# network = ["crm.shop.example:443"]' in manifest
    assert [f["command"] for f in told["findings"] if f["command"]] == [
        "hookledger secrets set block-disposable-mail BLOCKED_DOMAINS",
        "hookledger secrets set compose-sms SMS_HOST",
        "hookledger secrets set welcome-note CRM_TOKEN",
    ]
    assert about(told, "script") == ["welcome-note: the environment is empty; make it a secret"]
    assert about(told, "not-migrated") == [
        "None: rules are no hooks; a hook must be written anew for it"
    ]


def test_the_report_for_people_says_the_same(tmp_path: Path) -> None:
    printed = run("migrate", EXPORT, "--output", tmp_path / "moved").output
    assert "5 hooks are in" in printed
    assert "was called `Block Disposable Mail`" in printed
    assert "hookledger secrets set welcome-note CRM_TOKEN" in printed


def test_a_yaml_export_moves_alike(tmp_path: Path) -> None:
    hooks = []
    for file in sorted((EXPORT / "hooks").glob("*.json")):
        members = json.loads(file.read_text())
        hooks.append(members | {"script": f"./hooks/{members['script'].removeprefix('./')}"})
    source = tmp_path / "yaml"
    (source / "hooks").mkdir(parents=True)
    for script in (EXPORT / "hooks").glob("*.js"):
        (source / "hooks" / script.name).write_bytes(script.read_bytes())
    (source / "tenant.yaml").write_text(yaml.safe_dump({"hooks": hooks, "rules": []}))
    one = migrated(EXPORT, tmp_path / "one")
    for given, output in ((source, "two"), (source / "tenant.yaml", "three")):
        two = migrated(given, tmp_path / output)
        assert (two["hooks"], two["files"]) == (one["hooks"], one["files"])
        for place in one["files"]:
            assert (tmp_path / output / place).read_bytes() == (
                tmp_path / "one" / place
            ).read_bytes()


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    output = tmp_path / "moved"
    output.mkdir()
    (output / "mine").touch()
    result = run("migrate", EXPORT, "--output", output)
    assert result.exit_code == 1
    assert "is not empty" in str(result.exception)
    assert [file.name for file in output.iterdir()] == ["mine"]


def test_values_of_secrets_are_never_written(tmp_path: Path) -> None:
    source = directory(tmp_path / "in", {"secrets": {"KEY": "plain-Value-1", "-bad": "x"}})
    told = migrated(source, tmp_path / "out")
    written = "".join(p.read_text() for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert "plain-Value-1" not in written + json.dumps(told)
    assert about(told, "secret") == [
        "hook-0: `KEY` must be set",
        "hook-0: `-bad` cannot name a secret here",
    ]


def test_what_cannot_be_moved_is_told_and_the_rest_moves(tmp_path: Path) -> None:
    source = directory(
        tmp_path / "in",
        {"triggerId": "login"},
        {"script": "./gone.js"},
        {"script": "../../etc/passwd.js"},
        {"name": 7},
        {},
        {"triggerId": "password-exchange"},
        {"triggerId": ["x"]},
    )
    (source / "hooks/broken.json").write_text("{")
    (source / "actions").mkdir()
    (source / "actions/send.json").write_text("{}")
    told = migrated(source, tmp_path / "out")
    assert [hook["name"] for hook in told["hooks"]] == ["hook-4", "hook-5"]
    said = " | ".join(f"{f['file']}: {f['message']}" for f in told["findings"])
    for part in (
        "hooks/0.json: triggerId: no such trigger here",
        "hooks/1.json: script: there is no such file",
        "hooks/2.json: script: leads out of the followed folder",
        "hooks/3.json: name: must be a text",
        "hooks/6.json: triggerId: no such trigger",
        "hooks/broken.json: is not JSON",
        "actions/send.json: actions are no hooks",
    ):
        assert part in said
    assert (tmp_path / "out/not-migrated/hook-0.js").read_text() == SCRIPT
    assert "password-exchange" in (tmp_path / "out/hookledger.toml").read_text()
    settings, _ = read_worktree(tmp_path / "out")
    assert "password-exchange" in settings.known_triggers


def test_names_versions_and_enablement_that_must_change_are_told(tmp_path: Path) -> None:
    source = directory(
        tmp_path / "in",
        {"name": "My Hook!", "enabled": True},
        {"name": "my-hook", "enabled": True},
        {"dependencies": {"a": "^1.2.3", "b": "latest", "../c": "1.0.0", "d": "1.0.0"}},
        script="const x = require('installed-by-auth0'), d = require('d');\n" + SCRIPT,
    )
    told = migrated(source, tmp_path / "out")
    assert [(h["name"], h["enabled"]) for h in told["hooks"]] == [
        ("my-hook", True),
        ("my-hook-2", False),
        ("hook-2", False),
    ]
    assert len(about(told, "name")) == 2
    assert "my-hook-2: was enabled, as `my-hook` is" in about(told, "enabled")[0]
    packages = " | ".join(about(told, "package"))
    for part in (
        "`a` was `^1.2.3`; now 1.2.3",
        "`b` has no version (`latest`)",
        "`../c` is no package name",
        "`installed-by-auth0` is required but not listed",
    ):
        assert part in packages
    manifest = (tmp_path / "out/hooks/pre-user-registration/hook-2/hook.toml").read_text()
    assert 'a = "1.2.3"' in manifest
    assert 'd = "1.0.0"' in manifest


def test_markers_take_the_values_of_the_settings_and_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKLEDGER_KEYWORDS", '{"ON": true, "NAME": "named"}')
    script = "const a = '##NAME##';\nconst b = '##OTHER##';\n" + SCRIPT
    source = directory(tmp_path / "in", {"name": "##NAME##", "enabled": "@@ON@@"}, script=script)
    told = migrated(source, tmp_path / "out")
    assert told["hooks"] == [{"name": "named", "trigger": "pre-user-registration", "enabled": True}]
    (finding,) = [f for f in told["findings"] if f["kind"] == "keyword"]
    assert (finding["file"], finding["line"]) == ("hooks/0.js", 2)
    assert "##OTHER## has no value" in finding["message"]


def test_packages_that_cannot_be_had_are_told_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    source = tmp_path / "in"
    (source / "hooks").mkdir(parents=True)
    members = {
        "name": "a",
        "triggerId": "pre-user-registration",
        "script": "./a.py",
        "dependencies": {"gone": "1.0"},
    }
    (source / "hooks/a.json").write_text(json.dumps(members))
    (source / "hooks/a.py").write_text("def hook(user, context):\n    return {}\n")
    assert about(migrated(source, tmp_path / "out"), "package") == []
    (finding,) = about(migrated(source, tmp_path / "tried", "--try-packages"), "package")
    assert finding.startswith("a: dependencies.gone: ")


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    assert "There is no" in str(run("migrate", tmp_path / "no", "-o", tmp_path / "x").exception)
    (tmp_path / "in/hooks/a").mkdir(parents=True)
    refused = run("migrate", tmp_path / "in", "-o", tmp_path / "x")
    assert "is no export of the Deploy CLI" in str(refused.exception)
    (tmp_path / "link").symlink_to(EXPORT)
    assert migrated(tmp_path / "link", tmp_path / "linked")["hooks"]
    inner = directory(tmp_path / "linking", {})
    (inner / "hooks/0.js").unlink()
    (inner / "hooks/0.js").symlink_to("/etc/hostname")
    told = migrated(inner, tmp_path / "unlinked")
    assert "symbolic link" in about(told, "not-migrated")[0]
    assert not (tmp_path / "x").exists()
