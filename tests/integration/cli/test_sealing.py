"""Sealing secrets at the command line: nothing in arguments, nothing for another hook."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.bootstrap.storage import open_age_identities
from app.cli.main import cli
from app.domain.errors import HookledgerError
from app.domain.manifests.sealed_files import parts_of, values_of


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOOKLEDGER_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("HOOKLEDGER_REPO", str(tmp_path / "repository"))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "var"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "repository/hooks_repo/hooks/credentials-exchange/a-hook"
    made.mkdir(parents=True)
    (made / "hook.toml").write_text("")
    (made / "hook.py").write_text("def hook(client, scope, audience, context): ...")
    return made


def run(*arguments: object, stdin: str = "") -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)


def recipient() -> str:
    with open_age_identities() as age:
        return age.recipient


def read(folder: Path, hook: str = "a-hook") -> list[dict[str, str]]:
    with open_age_identities() as age:
        parts = parts_of("f", (folder / "secrets.age").read_bytes())
        return [dict(values_of("f", hook, age.open(part))) for part in parts]


def test_values_are_asked_for_or_read_and_added_to_the_file(folder: Path, tmp_path: Path) -> None:
    key = recipient()
    done = run("secrets", "seal", folder, "--set", "A", "--recipient", key, stdin="one\none\n")
    assert done.exit_code == 0, done.output
    assert "one" not in done.output.replace(key, "")
    file = tmp_path / "value"
    file.write_text("two\n")
    run("secrets", "seal", folder, "--from-file", f"B={file}", "--recipient", key)
    assert read(folder) == [{"A": "one"}, {"B": "two"}]
    run("secrets", "seal", folder, "--replace", "--from-file", "A=-", "--recipient", key, stdin="3")
    assert read(folder) == [{"A": "3"}]


def test_the_name_in_the_manifest_counts(folder: Path) -> None:
    (folder / "hook.toml").write_text('name = "another"\n')
    run("secrets", "seal", folder, "--from-file", "A=-", "--recipient", recipient(), stdin="1")
    assert read(folder, "another") == [{"A": "1"}]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "A=value"], "must not be an argument"),
        ([], "nothing to seal"),
        (["--from-file", "A"], "NAME=FILE"),
        (["--from-file", "A=/nonexistent"], "cannot be read"),
        (["--from-file", "-x=-"], "1 to 128"),
        (["--from-file", "A=-", "--recipient", "age1x"], "no recipient"),
        (["--from-file", "A=-", "--url", "http://127.0.0.1:9", "--recipient", ""], "public key"),
    ],
)
def test_what_cannot_be_sealed_is_refused(
    folder: Path, arguments: list[str], sentence: str
) -> None:
    given = [] if "--recipient" in arguments else ["--recipient", recipient()]
    done = run("secrets", "seal", folder, *arguments, *given, stdin="value")
    assert isinstance(done.exception, HookledgerError)
    assert sentence in str(done.exception)
    assert not (folder / "secrets.age").exists()


def test_a_file_of_plain_values_is_not_added_to(folder: Path) -> None:
    (folder / "secrets.age").write_text("A=plain")
    done = run("secrets", "seal", folder, "--from-file", "A=-", "--recipient", recipient())
    assert isinstance(done.exception, HookledgerError)
    assert (folder / "secrets.age").read_text() == "A=plain"


def test_a_rotation_lists_what_is_to_be_sealed_anew(folder: Path, tmp_path: Path) -> None:
    run("secrets", "seal", folder, "--from-file", "A=-", "--recipient", recipient(), stdin="1")
    repository = tmp_path / "repository"
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    done = run("keys", "rotate", "age")
    assert done.exit_code == 0, done.output
    assert "hooks_repo/hooks/credentials-exchange/a-hook/secrets.age" in done.output
    assert recipient() in done.output
    assert [line.split()[0] for line in run("keys", "age").output.splitlines()[1:2]] == [
        recipient()
    ]
    assert read(folder) == [{"A": "1"}]
