"""Settings: every one documented, environment over file over default, mistakes named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from config.settings import DEFAULTS, Settings, SettingsError, load_settings, registry_variables
from config.tables import Rate


def test_every_setting_has_a_documented_default() -> None:
    lines = DEFAULTS.read_text().splitlines()
    for name in Settings.model_fields:
        beginnings = (f"{name} = ", f"{name}.")
        index, *others = [i for i, line in enumerate(lines) if line.startswith(beginnings)]
        assert not others or lines[index].startswith(f"{name}."), f"{name} stands there twice"
        above = index - 1
        while lines[above] and not lines[above].startswith("#"):
            above -= 1
        assert lines[above].startswith("# "), f"{name} has no comment above it"


def test_all_files_are_in_the_data_folder_unless_they_are_said_to_be_elsewhere() -> None:
    settings = load_settings(data_dir=Path("/srv/data"))
    kept = (settings.database, settings.key_file, settings.packages_root)
    assert {file.parent for file in kept} == {Path("/srv/data")}
    elsewhere = load_settings(data_dir=Path("/srv/data"), database_url="sqlite:////disk/events.db")
    assert elsewhere.database == Path("/disk/events.db")


def test_there_is_no_default_for_what_is_no_setting() -> None:
    assert tomllib.loads(DEFAULTS.read_text()).keys() == Settings.model_fields.keys()


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.toml"
    own.write_text('port = 1111\nbranch = "main"\n')
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(own))
    monkeypatch.setenv("HOOKLEDGER_PORT", "2222")
    settings = load_settings()
    assert (settings.port, settings.branch, settings.host) == (2222, "main", "127.0.0.1")
    assert load_settings(port=3333).port == 3333


def test_lists_may_be_written_with_commas_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOOKLEDGER_AUDIENCE", "https://a.example/, https://b.example/")
    assert load_settings().audience == ("https://a.example/", "https://b.example/")


def test_one_rate_limit_may_be_changed_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[rate_limits]\nreads = "unlimited"\nmanagement = { burst = 9, per_second = 3 }\n'
    )
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(own))
    monkeypatch.setenv("HOOKLEDGER_RATE_LIMITS", '{"management": {"burst": 7}}')
    limits = load_settings().rate_limits
    assert limits.reads == limits.invocations == "unlimited"
    assert limits.management == Rate(burst=7, per_second=3)
    assert limits.tokens == Rate(burst=30, per_second=1)


def test_issuers_are_tables_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.toml"
    table = """[[trusted_issuers]]
name = "corporate"
issuer = "https://login.example.com/"
jwks = "https://login.example.com/.well-known/jwks.json"
audience = ["https://hooks.example.com/"]
scopes = { "hooks.run" = ["invoke:triggers"] }
"""
    own.write_text(table)
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(own))
    (issuer,) = load_settings().trusted_issuers
    assert issuer.scopes == {"hooks.run": ("invoke:triggers",)}
    own.write_text(
        table.replace("https://login.example.com/.well", "http://login.example.com/.well")
    )
    with pytest.raises(SettingsError, match="jwks"):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("HOOKLEDGER_PORT", "http", "HOOKLEDGER_PORT"),
        ("HOOKLEDGER_ISOLATION", "none", "HOOKLEDGER_ISOLATION"),
        ("HOOKLEDGER_DATABASE_URL", "mysql://x", "HOOKLEDGER_DATABASE_URL: must be sqlite:///"),
        ("HOOKLEDGER_RATE_LIMITS", '{"reads": {"burst": 0}}', "RATE_LIMITS.READS"),
        ("HOOKLEDGER_RATE_LIMITS", '{"reeds": "unlimited"}', "RATE_LIMITS.REEDS"),
        ("HOOKLEDGER_EGRESS_PRIVATE_NETWORKS", "10.0.0.1/8", "HOOKLEDGER_EGRESS_PRIVATE_NETWORKS"),
        ("HOOKLEDGER_PROT", "1", "HOOKLEDGER_PROT: is no setting; did you mean `HOOKLEDGER_PORT`"),
        ("HOOKLEDGER_CONFIG", "/nowhere.toml", "/nowhere.toml"),
    ],
)
def test_a_mistake_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=named):
        load_settings()


def test_an_unknown_key_in_the_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.toml"
    own.write_text("prot = 1\n")
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(own))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f"`prot` in {own}: is no setting; did you mean `port`?" in str(caught.value)


def test_a_wrong_value_is_named_where_it_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.toml"
    own.write_text("port = 99999\n")
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(own))
    with pytest.raises(SettingsError, match=rf"`port` in {own}: "):
        load_settings()
    monkeypatch.setenv("HOOKLEDGER_PORT", "88888")
    with pytest.raises(SettingsError, match="HOOKLEDGER_PORT: "):
        load_settings()
    own.write_text("port = \n")
    with pytest.raises(SettingsError, match=rf"{own} is not TOML: .*line 1"):
        load_settings()


def test_the_key_file_lies_in_the_data_directory_unless_it_is_set() -> None:
    assert load_settings(data_dir="d").key_file == Path("d/master.key")
    assert load_settings(master_key_file="/k").key_file == Path("/k")


def test_a_list_stands_in_one_variable_separated_by_commas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = ["10.0.0.0/8", "fd12::/16"]
    own = tmp_path / "own.toml"
    own.write_text(f"egress_private_networks = {networks}\n")
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(own))
    assert [str(network) for network in load_settings().egress_private_networks] == networks
    monkeypatch.setenv("HOOKLEDGER_EGRESS_PRIVATE_NETWORKS", "192.168.0.0/16, ::1/128")
    assert [str(network) for network in load_settings().egress_private_networks] == [
        "192.168.0.0/16",
        "::1/128",
    ]
    monkeypatch.setenv("HOOKLEDGER_EGRESS_PRIVATE_NETWORKS", "")
    assert load_settings().egress_private_networks == ()


def test_only_what_names_a_registry_reaches_an_installer(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = {
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "NPM_CONFIG_REGISTRY": "https://mirror.example/npm",
        "npm_config_cafile": "/etc/ca.pem",
        "https_proxy": "http://proxy.example",
        "NO_PROXY": "localhost",
    }
    kept = {
        "HOOKLEDGER_MASTER_KEY_FILE": "/secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "PIP_TARGET": "/evil",
        "PIP_REQUIREMENT": "/evil",
        "npm_config_ignore_scripts": "false",
        "npm_config_prefix": "/evil",
        "NODE_OPTIONS": "--require /evil",
        "PYTHONPATH": "/evil",
        "LD_PRELOAD": "/evil",
    }
    for name, value in (passed | kept).items():
        monkeypatch.setenv(name, value)
    found = registry_variables()
    assert found.items() >= passed.items()
    assert not found.keys() & kept.keys()


def test_packages_are_kept_with_the_data_unless_told_otherwise() -> None:
    assert load_settings(data_dir="/data").packages_root == Path("/data/packages")
    assert load_settings(packages_dir="/fast").packages_root == Path("/fast")


def test_keywords_come_from_the_environment_as_json_and_are_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOOKLEDGER_KEYWORDS", '{"TOKEN": "very-secret", "LIST": ["a", 1]}')
    settings = load_settings()
    assert settings.keywords == {"TOKEN": "very-secret", "LIST": ["a", 1]}
    assert "very-secret" not in repr(settings)
    monkeypatch.setenv("HOOKLEDGER_KEYWORDS", '{"not a key": "very-secret"}')
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "HOOKLEDGER_KEYWORDS" in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_keywords_stand_in_a_table_of_the_own_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "own.toml"
    file.write_text('repo_format = "auth0-yaml"\n[keywords]\nTOKEN = "t"\n')
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(file))
    settings = load_settings()
    assert (settings.repo_format, settings.keywords) == ("auth0-yaml", {"TOKEN": "t"})
