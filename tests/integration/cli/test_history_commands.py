"""Commands that look at the past: as of a moment, between two, counted, and exported."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.bootstrap.storage import open_storage
from app.cli.main import cli, main
from app.domain.aggregates import Commit, Meta, recorded_as
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName
from app.domain.signers import Signer
from app.domain.sources.source import Source

SHAS = ("a" * 40, "b" * 40)


@pytest.fixture(autouse=True)
def lived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hook of commit `a…`, changed by `b…`, and deleted by hand."""
    monkeypatch.setenv("HOOKLEDGER_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    with open_storage() as storage:
        with recorded_as(meta(SHAS[0])):
            hook = Hook.create(
                "01J0000000000000000000000A",
                name="greeter",
                trigger="send-phone-message",
                owner="source:default",
                path="hooks/greeter",
                language="python",
                script="old\n",
                dependencies={},
                settings={"enabled": False, "order": 0},
                digest="d1",
            )
            name = HookName(name="greeter", hook_id=hook.public_id)
            source = Source(source="default", location="/x", branch="main", path="")
            applied(source, SHAS[0])
            storage.ledger.record(hook, name, source)
        with recorded_as(meta(SHAS[1])):
            hook.change_script("python", "new\x1b[31m\n", "d2")
            applied(source, SHAS[1])
            storage.ledger.record(hook, source)
        with recorded_as(Meta(actor="cli:ada", origin="cli", reason="=no longer needed")):
            hook.delete()
            name.release(hook.public_id)
            storage.ledger.record(hook, name)
    yield
    os.umask(before)


def meta(sha: str) -> Meta:
    signer = Signer(method="ssh", fingerprint="SHA256:x", principal="ada@x.org")
    commit = Commit(source="default", sha=sha, author="Ada", committer="Ada", signer=signer)
    return Meta(actor="source:default", origin="git", commit=commit)


def applied(source: Source, sha: str) -> None:
    source.apply_revision(commit=sha, tree=sha, branch="main", plan_digest="p", counts={})


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def as_json(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refuse(*arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["hookledger", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 1


def test_hooks_are_listed_and_shown_as_they_were() -> None:
    assert as_json("hooks", "list") == []
    assert [row["name"] for row in as_json("hooks", "list", "--as-of", SHAS[0])] == ["greeter"]
    assert as_json("hooks", "show", "greeter", "--as-of", SHAS[0][:7])["script"] == "old\n"
    assert as_json("hooks", "show", "greeter", "--as-of", SHAS[1])["script"] == "new\x1b[31m\n"


def test_a_moment_that_is_none_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    refuse("hooks", "list", "--as-of", "99")
    assert "--as-of: lies in the future" in capsys.readouterr().err
    refuse("hooks", "show", "nobody", "--as-of", "3")
    assert "no hook `nobody` at position 3" in capsys.readouterr().err
    refuse("diff", "yesterday")
    assert "FROM: must be a position" in capsys.readouterr().err
    refuse("hooks", "list", "--as-of", "2100-01-01")
    assert "--as-of: lies in the future" in capsys.readouterr().err


def test_a_moment_may_be_so_long_ago_or_without_its_zone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = datetime.now(UTC).astimezone()
    counted = as_json("audit", "counts")["total"]
    window = ("--since", "2m", "--until", f"{now + timedelta(minutes=1):%Y-%m-%d %H:%M:%S}")
    assert as_json("audit", "counts", *window)["total"] == counted > 0
    assert as_json("audit", "counts", "--until", "2m")["total"] == 0
    refuse("hooks", "list", "--as-of", "3d")
    assert "before the first event" in capsys.readouterr().err
    for wrong in ("2y", "2026-13-01", "soon"):
        refused = CliRunner().invoke(cli, ["logs", "--since", wrong])
        assert refused.exit_code == 2
        assert "how long ago: 90m, 2h, 3d" in " ".join(refused.stderr.split())


def test_a_window_without_time_in_it_and_a_trigger_that_is_none_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refuse("audit", "query", "--since", "2026-11-02", "--until", "2026-11-01")
    assert "until: must be after `since`" in capsys.readouterr().err
    refuse("hooks", "list", "--trigger", "no-such")
    assert "no trigger `no-such`; known are: credentials-exchange" in capsys.readouterr().err
    assert "No hook matches." in run("hooks", "list", "--enabled", "--as-of", SHAS[0]).stdout


def test_a_diff_shows_the_script_and_no_control_characters() -> None:
    printed = run("diff", SHAS[0], SHAS[1]).stdout
    assert "hook greeter (send-phone-message) changed" in printed
    assert "digest: d1 -> d2" in printed
    assert "  -old\n" in printed
    assert "\x1b" not in printed
    assert "Nothing differs" in run("diff", "2", "2").stdout


def test_a_diff_until_now_is_json_too() -> None:
    diff = as_json("diff", SHAS[1])
    assert [(hook["name"], hook["change"]) for hook in diff["hooks"]] == [("greeter", "retired")]
    assert diff["to"] == as_json("audit", "counts")["position"]


def test_events_are_counted() -> None:
    counted = as_json("audit", "counts", "--hook", "greeter", "--type", "hook")["counts"]
    assert counted == {"hook.created": 1, "hook.deleted": 1, "hook.script_changed": 1}
    assert "source.revision_applied  2" in run("audit", "counts", "--by", "type").stdout


def test_filters_reach_the_log_from_the_command_line() -> None:
    result = run(
        "audit", "query", "--signer", "ada@x.org", "--origin", "git", "--type",
        "hook.created,hook.script_changed", "--oldest-first", "--format", "json",
    )  # fmt: skip
    events = json.loads(result.stdout)
    assert [event["type"] for event in events] == ["hook.created", "hook.script_changed"]
    assert events[0]["signer"] == {"principal": "ada@x.org", "fingerprint": "SHA256:x"}


@pytest.mark.parametrize("style", ["json", "ndjson", "csv"])
def test_an_export_is_a_whole_file(tmp_path: Path, style: str) -> None:
    file = tmp_path / "audit"
    result = run("audit", "export", str(file), "--format", style, "--oldest-first")
    assert result.exit_code == 0, result.output
    text = file.read_text(encoding="utf-8")
    if style == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        assert rows[-1]["reason"] == "'=no longer needed"
    else:
        rows = (
            json.loads(text)["events"]
            if style == "json"
            else list(map(json.loads, text.splitlines()))
        )
    positions = [int(row["position"]) for row in rows]
    assert positions == list(range(1, len(rows) + 1))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["audit"]


def test_who_exports_leaves_a_trace(tmp_path: Path) -> None:
    run("audit", "export", str(tmp_path / "events"), "--format", "csv")
    run("audit", "export", str(tmp_path / "bundle"), "--proof")
    refuse("audit", "export", str(tmp_path / "events"), "--commit", "xyz")
    noted = json.loads(run("audit", "access", "--kind", "exported", "--json").stdout)
    assert {each["subject"] for each in noted} == {"audit format:csv", "audit format:evidence"}
    assert all(each["client"].startswith("cli:") and each["count"] == 1 for each in noted)


def test_an_export_goes_to_standard_output_by_itself() -> None:
    result = run("audit", "export", "--type", "source.created")
    assert [json.loads(line)["type"] for line in result.stdout.splitlines()] == ["source.created"]


def test_an_export_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse("audit", "export", str(tmp_path / "nowhere" / "audit"))
    assert "cannot be written" in capsys.readouterr().err
    (tmp_path / "kept").write_text("before", encoding="utf-8")
    refuse("audit", "export", str(tmp_path / "kept"), "--commit", "xyz")
    assert (tmp_path / "kept").read_text(encoding="utf-8") == "before"
    assert not (tmp_path / "kept.partial").exists()
