"""Settings on signatures and webhooks can be used, or they stop the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.bootstrap.forges import signature_check, webhook_desk
from app.domain.errors import Stalled
from config.settings import SettingsError, load_settings


@pytest.mark.parametrize("mode", ["head", "range"])
def test_demanding_signatures_without_a_key_stops_the_start(mode: str) -> None:
    with pytest.raises(Stalled, match="no key is configured"):
        signature_check(load_settings(verify=mode).followed["default"])


def test_nothing_is_demanded_unless_it_is_configured() -> None:
    assert signature_check(load_settings().followed["default"]) is not None


def test_secrets_of_webhooks_come_from_settings_and_file_and_are_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("first-secret-0123456789\n")
    webhooks = {"default": {"secrets_file": str(file), "secrets": ["second-secret-0123456789"]}}
    settings = load_settings(webhooks=webhooks)
    assert "second-secret" not in repr(settings)
    hinted: list[str] = []
    desk = webhook_desk(settings, {"default": "main"}, hinted.append)
    file.write_text("third-secret-0123456789\nfirst-secret-0123456789\n")
    for secret in ("first", "second", "third"):
        token = f"{secret}-secret-0123456789"
        kind = desk.admit("gitlab", "default", {"x-gitlab-token": token}, b"")
        headers = {"x-gitlab-event": "Push Hook"}
        desk.receive(kind, "default", headers, b'{"ref": "refs/heads/main"}')
    assert hinted == ["default"] * 3


@pytest.mark.parametrize(
    ("webhooks", "sentence"),
    [
        ({"other": {"secrets": ["0123456789abcdef"]}}, "not followed"),
        ({"default": {}}, "needs secrets"),
        ({"default": {"secrets": ["short"]}}, "16 characters"),
        ({"default": {"secrets_file": "/nonexistent/file"}}, "cannot be read"),
    ],
)
def test_a_webhook_nobody_could_use_stops_the_start(webhooks: Any, sentence: str) -> None:
    with pytest.raises(Stalled, match=sentence):
        webhook_desk(load_settings(webhooks=webhooks), {"default": "main"}, lambda _: None)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("api", "http://forge.example.com"),
        ("api", "https://user:secret@forge.example.com"),
        ("api", "https://forge.example.com/?a=b"),
        ("repository", "../../admin"),
        ("repository", "acme/hooks?x"),
        ("forge", "sourcehut"),
        ("token", "in the settings"),
    ],
)
def test_a_forge_that_should_not_be_called_is_no_setting(member: str, value: str) -> None:
    good = {
        "forge": "github",
        "api": "https://api.github.com",
        "repository": "acme/.github",
        "token_file": "/t",
    }
    assert load_settings(statuses={"default": good}).statuses["default"].forge == "github"
    with pytest.raises(SettingsError, match="STATUSES"):
        load_settings(statuses={"default": good | {member: value}})
