"""Tables of sources: completed from what stands beside them, checked, never beside the short form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.settings import SettingsError, load_settings


def test_the_short_form_describes_one_source() -> None:
    settings = load_settings(repo="/srv/hooks.git", branch="main", repo_path="x", source="a")
    (table,) = settings.followed.values()
    assert list(settings.followed) == ["a"]
    assert (table.repo, table.branch, table.path) == ("/srv/hooks.git", "main", "x")
    assert table.remote == settings.remote
    assert table.sync_policy == settings.sync_policy


def test_tables_are_read_from_a_file_and_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        'verify = "head"\n'
        '[sources.a]\nrepo = "https://git.example.com/a.git"\nbranch = "main"\n'
        f'remote = {{ token_file = "{tmp_path}/token" }}\n'
        'sync_policy = { approval = "manual" }\n'
        '[sources.b]\nrepo = "/srv/b"\nverify = "none"\n'
        "[remote]\nfetch_seconds = 7\n[sync_policy]\nmax_deletions = 3\n"
    )
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(file))
    followed = load_settings().followed
    assert list(followed) == ["a", "b"]
    a, b = followed["a"], followed["b"]
    assert (a.verify, b.verify) == ("head", "none")
    assert (a.remote.token_file, b.remote.token_file) == (tmp_path / "token", None)
    assert a.remote.fetch_seconds == b.remote.fetch_seconds == 7
    assert (a.sync_policy.approval, b.sync_policy.approval) == ("manual", "automatic")
    assert a.sync_policy.max_deletions == b.sync_policy.max_deletions == 3
    assert (a.path, a.format) == ("", "auto")


def test_tables_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKLEDGER_SOURCES", '{"a": {"repo": "/srv/a"}}')
    monkeypatch.setenv("HOOKLEDGER_GPG_FINGERPRINTS", "ab, cd")
    assert load_settings().followed["a"].repo == "/srv/a"
    assert load_settings().followed["a"].gpg_fingerprints == ("ab", "cd")


@pytest.mark.parametrize(
    ("sources", "why"),
    [
        ({"a": {}}, "SOURCES.A.REPO"),
        ({"a": "/srv/a"}, "SOURCES.A"),
        ({"A b": {"repo": "/x"}}, "SOURCES"),
        ({"a": {"repo": "/x", "token_file": "/y"}}, "TOKEN_FILE"),
        ({"a": {"repo": "/x", "remote": {"protocols": ["ext"]}}}, "SOURCES.A.REMOTE.PROTOCOLS"),
        ({"a": {"repo": "/x", "remote": "no table"}}, "SOURCES.A.REMOTE"),
        ({"a": {"repo": "/x", "poll_interval": 0}}, "SOURCES.A.POLL_INTERVAL"),
    ],
)
def test_a_table_that_cannot_be_is_refused(sources: object, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load_settings(sources=sources)


@pytest.mark.parametrize(
    ("beside", "named"),
    [
        ({"repo": "/srv/x"}, "repo"),
        ({"keywords": {"KEY": "value"}}, "keywords"),
        ({"remote": {"token_file": "/srv/token"}}, "remote.token_file"),
    ],
)
def test_what_describes_one_source_is_refused_beside_tables(
    beside: dict[str, Any], named: str
) -> None:
    with pytest.raises(SettingsError, match=f"beside them {named}, which describe"):
        load_settings(sources={"a": {"repo": "/srv/a"}}, **beside)
