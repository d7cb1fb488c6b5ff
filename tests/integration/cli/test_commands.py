"""Commands, as a person or a script calls them: what they print, and what they exit with."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.application.callers.manage_clients import hash_credential
from app.bootstrap.storage import open_journal, open_storage
from app.cli.main import cli, main
from app.domain.aggregates import Meta, recorded_as
from app.domain.errors import NotFound, Rejected
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName
from app.domain.outcomes import Level, LogLine
from app.domain.triggers.trigger import Trigger

HOOK_ID = "01J0000000000000000000000A"


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Undo what the command does to the process it thinks is its own."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOOKLEDGER_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "var"


@pytest.fixture
def begun() -> None:
    """Begin a ledger without anything in it."""
    with open_storage():
        pass


@pytest.fixture
def hook() -> str:
    """Put one enabled hook, owned by git, into the ledger."""
    with open_storage() as storage, recorded_as(Meta(actor="source:default", origin="git")):
        made = Hook.create(
            HOOK_ID,
            name="greeter",
            trigger="send-phone-message",
            owner="source:default",
            path="hooks/send-phone-message/greeter",
            language="python",
            script="def hook(recipient, text, context): ...",
            dependencies={},
            settings={
                "enabled": True,
                "order": 0,
                "timeout_ms": 5000,
                "network": [],
                "required_secrets": ["API_KEY"],
                "prune": "auto",
            },
            digest="d" * 64,
        )
        trigger = Trigger(trigger="send-phone-message")
        trigger.enable(HOOK_ID)
        storage.ledger.record(made, HookName(name="greeter", hook_id=HOOK_ID), trigger)
    return "greeter"


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=stdin)


def as_json(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_without_arguments_the_help_names_every_command() -> None:
    printed = run().output
    for command in ("serve", "sync", "plan", "test", "hooks", "secrets", "audit", "doctor"):
        assert command in printed


@pytest.mark.usefixtures("begun")
def test_an_error_is_a_sentence_on_standard_error_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["hookledger", "hooks", "show", "nobody"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hookledger: There is no hook `nobody`.\n")


def test_a_bad_setting_is_named_before_anything_is_touched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    monkeypatch.setenv("HOOKLEDGER_PORT", "http")
    monkeypatch.setattr("sys.argv", ["hookledger", "hooks", "list"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "HOOKLEDGER_PORT" in capsys.readouterr().err
    assert not data.exists()


@pytest.mark.parametrize(
    "command",
    [
        ("hooks", "list"),
        ("audit", "query"),
        ("audit", "export", "events.ndjson"),
        ("logs",),
        ("invocations", "list"),
        ("clients", "list"),
        ("keys", "list"),
        ("queue", "list"),
        ("sync", "status"),
        ("rebuild",),
        ("secrets", "set", "greeter", "API_KEY"),
    ],
)
def test_where_no_server_has_begun_a_command_says_so_and_makes_nothing(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    ended = run(*command)
    assert isinstance(ended.exception, NotFound)
    assert "hookledger serve" in str(ended.exception)
    assert not list(tmp_path.iterdir())


def test_wrong_usage_is_exit_code_2() -> None:
    assert run("hooks", "list", "--colour").exit_code == 2


def test_hooks_are_listed_and_shown(hook: str) -> None:
    (row,) = as_json("hooks", "list")
    assert (row["name"], row["enabled"], row["secrets"]) == (hook, True, [])
    assert as_json("hooks", "list", "--trigger", "credentials-exchange") == []
    assert as_json("hooks", "list", "--disabled") == []
    assert as_json("hooks", "show", hook)["script"].startswith("def hook(")
    assert hook in run("hooks", "list").output
    assert "def hook(" in run("hooks", "show", hook).output


@pytest.mark.usefixtures("begun")
def test_an_empty_table_says_what_to_do() -> None:
    assert "sync --once" in run("hooks", "list").output


def test_markup_and_control_characters_in_names_stay_text(hook: str) -> None:
    assert run("hooks", "disable", hook, "--reason", "[red]\x1b[2Jgone[/red]").exit_code == 0
    printed = run("audit", "query").output
    assert "[red]" in printed
    assert "\x1b" not in printed


def test_a_hook_is_disabled_with_a_reason_that_is_in_its_history(hook: str) -> None:
    assert "is disabled" in run("hooks", "disable", hook, "--reason", "it misbehaves").output
    assert as_json("hooks", "list", "--disabled")[0]["break_glass"] is True
    assert "is enabled" in run("hooks", "enable", hook).output
    history = as_json("hooks", "history", hook)
    assert [event["type"] for event in history[:2]] == [
        "trigger.hook_enabled",
        "trigger.hook_disabled",
    ]
    assert history[1]["reason"] == "it misbehaves"
    assert history[1]["actor"].startswith("cli:")


def test_secrets_come_from_standard_input_and_are_never_printed(hook: str, data: Path) -> None:
    value = "sk-0123456789abcdef"
    (missing,) = as_json("secrets", "list", hook)
    assert missing == {"name": "API_KEY", "set": False, "required": True}
    printed = run("secrets", "set", hook, "API_KEY", stdin=f"{value}\n")
    assert printed.exit_code == 0, printed.output
    assert value not in printed.output
    assert as_json("secrets", "list", hook)[0]["set"] is True
    assert value not in run("audit", "query", "--format", "json").output
    for file in data.rglob("*"):
        assert not file.is_file() or value.encode() not in file.read_bytes()
    assert run("secrets", "rm", hook, "API_KEY").exit_code == 0
    assert as_json("secrets", "list", hook)[0]["set"] is False


def test_the_data_directory_and_the_key_are_for_their_owner_only(hook: str, data: Path) -> None:
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / "master.key").stat().st_mode & 0o777 == 0o600


def test_a_client_is_created_listed_and_revoked() -> None:
    made = as_json("clients", "create", "monitor", "--scope", "read:audit")
    assert set(made) == {"client_id", "client_secret", "access_token"}
    (listed,) = as_json("clients", "list")
    assert (listed["name"], listed["scopes"], listed["revoked"]) == (
        "monitor",
        ["read:audit"],
        False,
    )
    with open_storage() as storage:
        assert hash_credential(made["access_token"]) in storage.hooks.table.tokens
    assert run("clients", "revoke", made["client_id"]).exit_code == 0
    assert as_json("clients", "list")[0]["revoked"] is True
    with open_storage() as storage:
        assert storage.hooks.table.tokens == {}
    assert made["access_token"] not in run("audit", "query", "--format", "json").output


def test_a_client_carries_metadata_for_hooks() -> None:
    flags = ("--metadata", "plan=gold", "--metadata", "note=a=b")
    as_json("clients", "create", "billing", "--scope", "read:audit", *flags)
    (listed,) = as_json("clients", "list")
    assert listed["metadata"] == {"plan": "gold", "note": "a=b"}
    wrong = run("clients", "create", "x", "--scope", "read:audit", "--metadata", "plan")
    assert wrong.exit_code == 2
    assert "NAME=VALUE" in wrong.output


def test_a_client_with_an_unknown_scope_is_refused() -> None:
    result = run("clients", "create", "monitor", "--scope", "read:everything")
    assert "read:everything" in str(result.exception)
    assert as_json("clients", "list") == []


def test_the_history_is_filtered_and_comes_in_every_format(hook: str) -> None:
    run("hooks", "disable", hook, "--reason", "=1+1")
    events = json.loads(run("audit", "query", "--hook", hook, "--format", "json").stdout)
    assert {event["hook_name"] for event in events} == {hook}
    lines = run("audit", "query", "--format", "ndjson").stdout.splitlines()
    positions = [json.loads(line)["position"] for line in lines]
    assert positions == sorted(positions, reverse=True)
    rows = list(csv.DictReader(io.StringIO(run("audit", "query", "--format", "csv").stdout)))
    assert len(rows) == len(lines)
    assert rows[0]["reason"] == "'=1+1"
    assert json.loads(run("audit", "query", "--type", "client", "--format", "json").stdout) == []
    assert len(run("audit", "query", "--limit", "1", "--format", "ndjson").stdout.splitlines()) == 1


def test_a_rebuild_yields_the_same(hook: str) -> None:
    before = as_json("hooks", "list"), run("audit", "query", "--format", "json").stdout
    result = run("rebuild")
    assert result.exit_code == 0, result.output
    assert "rebuilt up to position 4" in result.output
    assert (as_json("hooks", "list"), run("audit", "query", "--format", "json").stdout) == before


def test_a_master_key_is_rotated_and_the_old_one_retired(hook: str) -> None:
    run("secrets", "set", hook, "API_KEY", stdin="sk-0123456789abcdef")
    (old,) = as_json("keys", "list")
    assert run("keys", "rotate").exit_code == 0
    assert len(as_json("keys", "list")) == 2
    assert run("keys", "retire", old["id"]).exit_code == 0
    with open_storage() as storage:
        row = storage.hooks.table.find_hook(hook)
        assert row is not None
        assert storage.vault.open(row.id, row.secrets["API_KEY"]) == "sk-0123456789abcdef"


@pytest.mark.usefixtures("begun")
def test_nothing_was_invoked_and_nothing_is_dead() -> None:
    assert as_json("invocations", "list") == []
    assert as_json("queue", "list") == {"waiting": 0, "running": 0, "dead": []}
    assert run("logs").output == ""


@pytest.fixture
def lines(hook: str) -> None:
    written: list[tuple[str, Level, str]] = [
        (HOOK_ID, "info", "first"),
        (HOOK_ID, "error", "The gateway is down"),
        ("01J" + "B" * 23, "error", "of another hook"),
    ]
    with open_journal() as journal:
        for number, (hook_id, level, text) in enumerate(written):
            at = datetime(2026, 11, 22, 12, number, tzinfo=UTC)
            journal.log(LogLine(f"INV{number}", hook_id, at, level, "stdout", text))


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ([], ["first", "The gateway is down", "of another hook"]),
        (["--limit", "1"], ["of another hook"]),
        (["--hook", "greeter"], ["first", "The gateway is down"]),
        (["--trigger", "send-phone-message"], ["first", "The gateway is down"]),
        (["--level", "error"], ["The gateway is down", "of another hook"]),
        (["--text", "GATEWAY"], ["The gateway is down"]),
        (["--since", "2026-11-22T12:01:00+0000"], ["The gateway is down", "of another hook"]),
        (["--until", "2026-11-22T12:01:00+0000"], ["first"]),
        (["--invocation", "INV0"], ["first"]),
    ],
)
def test_log_lines_are_found_by_every_filter(
    lines: None, options: list[str], texts: list[str]
) -> None:
    printed = run("logs", "--json", *options).stdout.splitlines()
    assert [json.loads(line)["text"] for line in printed] == texts


@pytest.mark.parametrize(
    "options", [["--until", "2026-11-22"], ["--since", "2026-11-22", "--token", "x"]]
)
def test_what_cannot_be_followed_is_refused(options: list[str]) -> None:
    refused = run("logs", "--follow", *options)
    assert isinstance(refused.exception, Rejected)
    assert "leave --" in str(refused.exception)


def test_a_backup_is_made_and_put_back(hook: str, data: Path, tmp_path: Path) -> None:
    made = as_json("backup", str(tmp_path / "backup"))
    assert made["position"] > 0
    assert "hookledger backup --vault" in run("backup", str(tmp_path / "again")).output
    data.rename(tmp_path / "lost")
    assert as_json("restore", str(tmp_path / "backup")) == made
    assert [listed["name"] for listed in as_json("hooks", "list")] == [hook]


@pytest.mark.parametrize("command", [["invoke", "generic"], ["export", "-o", "x"], ["logs", "-f"]])
@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--token", "hlt_\u2026"], "holds `\u2026`"),
        (["--token", "t\n", "--url", "http://127.0.0.1:1"], "copy it whole"),
        (["--token", "t", "--url", "http://[::1"], "no address"),
    ],
)
def test_what_cannot_be_sent_is_wrong_usage(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    option: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner(env={"COLUMNS": "400"}).invoke(cli, [*command, *option])
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hooks", "history", "nope"], "No hook `nope` exists"),
        (["logs", "--hook", "nope"], "There is no hook `nope`"),
        (["invoke", "generic", "--token", "t", "--url", "x:1"], "must begin with http"),
        (["invoke", "generic", "--token", "t", "-p", "none.json"], "none.json cannot be read: No"),
        (["invoke", "generic", "--token", "t", "-p", "bad.json"], "bad.json is not valid JSON"),
        (["invoke", "generic"], "hookledger clients create"),
    ],
)
@pytest.mark.usefixtures("begun")
def test_a_mistake_is_answered_with_what_and_where(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    said: str,
) -> None:
    (tmp_path / "bad.json").write_text("{")
    monkeypatch.delenv("HOOKLEDGER_TOKEN", raising=False)
    monkeypatch.setattr("sys.argv", ["hookledger", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert said in capsys.readouterr().err


def test_a_database_that_is_none_is_told_of_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    data.mkdir()
    (data / "hookledger.db").write_bytes(b"something else" * 500)
    monkeypatch.setattr("sys.argv", ["hookledger", "hooks", "list"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "hookledger doctor" in capsys.readouterr().err
