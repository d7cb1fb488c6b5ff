"""Pictures of every page for the documentation, of a server that somebody has used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
PHONE = {"width": 390, "height": 844}
HOOK = "block-disposable-mail"

pytestmark = pytest.mark.screenshots


@pytest.fixture(scope="module")
def used_server(sample_server: Any) -> Any:
    pause = threading.Event()
    script = next(sample_server.repository.rglob(f"{HOOK}/hook.py"))
    script.write_text(
        script.read_text().replace(
            '    "mailinator.com",\n', '    "mailinator.com",\n    "minutebox.example",\n'
        )
    )
    split = 'address.strip().lower().rpartition("@")\n'
    script.write_text(
        script.read_text().replace(split, f'{split}    print(f"signs up from {{domain}}")\n', 1)
    )
    sample_server.commit("Refuse minutebox.example", "Ben Builder <ben@example.com>")
    for number in range(160):
        domain = "mailinator.com" if number % 13 == 5 else "example.com"
        sample_server.sign_up(f"person{number}@{domain}")
        pause.wait(0.02 + 0.06 * (number % 7 == 0))
    return sample_server


def take(visitor: Any, name: str) -> None:
    visitor.page.wait_for_load_state("networkidle")
    visitor.page.wait_for_timeout(300)
    visitor.page.screenshot(path=IMAGES / f"{name}.png")


@pytest.mark.parametrize(
    ("name", "path", "options"),
    [
        ("access", "/access", {}),
        ("overview", "/", {}),
        ("overview-dark", "/", {"color_scheme": "dark"}),
        ("overview-phone", "/", {"viewport": PHONE}),
        ("hooks", "/hooks", {}),
        ("hook", f"/hooks/{HOOK}", {}),
        ("hook-phone", f"/hooks/{HOOK}", {"viewport": PHONE}),
        ("version", f"/hooks/{HOOK}/versions/2", {}),
        ("new-hook", "/new-hook", {}),
        ("secrets", "/secrets", {}),
        ("sync", "/sync", {}),
        ("history", "/history", {}),
        ("event", "/history/12", {}),
        ("past", "/history/as-of?as_of=9", {}),
        ("logs", "/logs", {}),
        ("logs-dark", "/logs", {"color_scheme": "dark"}),
        ("invocations", "/invocations", {}),
    ],
)
def test_write_a_page(
    used_server: Any, visit: Callable[..., Any], name: str, path: str, options: dict[str, Any]
) -> None:
    visitor = visit(used_server, **options)
    visitor.sign_in()
    visitor.open(path)
    take(visitor, name)


def test_write_an_invocation(used_server: Any, visit: Callable[..., Any]) -> None:
    refused = used_server.sign_up("somebody@mailinator.com").headers["hookledger-invocation"]
    visitor = visit(used_server)
    visitor.sign_in()
    visitor.page.wait_for_timeout(500)  # the journal writes in batches
    visitor.open(f"/invocations/{refused}")
    take(visitor, "invocation")


def test_write_the_door(used_server: Any, visit: Callable[..., Any]) -> None:
    visitor = visit(used_server)
    visitor.open("/login")
    take(visitor, "login")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_write_the_editor(used_server: Any, visit: Callable[..., Any], colours: str) -> None:
    visitor = visit(used_server, color_scheme=colours)
    visitor.sign_in()
    page = visitor.open("/new-hook?trigger=pre-user-registration")
    page.locator(".cm-editor").first.wait_for()
    page.get_by_role("textbox", name="Script").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(
        "module.exports = function (user, context, cb) {\n"
        "  const domain = user.email.split('@').pop();\n"
        "  console.log(`signs up from ${domain}`);\n\n"
        "  if (domain === 'example.org') {\n"
        "    return cb(new PreUserRegistrationError('not yet', 'Please come back later.'));\n"
        "  }\n"
        "  cb(null, { user: { app_metadata: { domain } } });\n"
        "};\n"
    )
    page.get_by_role("button", name="Run the draft").click()
    page.get_by_role("region", name="Result").get_by_text("succeeded").wait_for()
    take(visitor, "editor" if colours == "light" else "editor-dark")
