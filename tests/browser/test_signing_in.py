"""People sign in with an identity provider, in a browser, each in their own role."""

from __future__ import annotations

import html
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

pytest.importorskip("playwright")

from playwright.sync_api import expect

PEOPLE = {"Vera": "readers", "Olga": "on-call", "Ada": "platform", "Guest": "visitors"}
ROLES = {"readers": "viewer", "on-call": "operator", "platform": "admin"}


class Provider:
    """An OpenID provider at which everybody is whoever they say."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}, auto_kid=False)
        self.begun: dict[str, tuple[str, str]] = {}
        self.nonce: str | None = None
        """Put into tokens in the place of the right one."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = urlsplit(self.path)
                if asked.path.endswith("/openid-configuration"):
                    self.answer(json.dumps(provider.described()))
                elif asked.path.endswith("/keys"):
                    self.answer(json.dumps({"keys": [provider.key.as_dict(private=False)]}))
                else:
                    query = {name: one for name, (one,) in parse_qs(asked.query).items()}
                    self.answer(provider.people(query), "text/html; charset=utf-8")

            def do_POST(self) -> None:
                sent = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                self.answer(json.dumps({"id_token": provider.token(sent["code"][0])}))

            def answer(self, text: str, media_type: str = "application/json") -> None:
                body = text.encode()
                self.send_response(200)
                self.send_header("content-type", media_type)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def described(self) -> dict[str, str]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def people(self, asked: dict[str, str]) -> str:
        links = []
        for name in PEOPLE:
            code = secrets.token_urlsafe()
            self.begun[code] = (name, asked["nonce"])
            back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
            address = html.escape(f"{asked['redirect_uri']}?{back}")
            links.append(f'<p><a href="{address}">{name}</a></p>')
        return "<!doctype html><title>Who are you?</title><link rel=icon href=data:,>" + "".join(links)  # fmt: skip

    def token(self, code: str) -> str:
        name, nonce = self.begun.pop(code)
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": "hookledger", "sub": name.lower(), "name": name,
            "iat": now, "exp": now + 300, "nonce": self.nonce or nonce, "groups": [PEOPLE[name]],
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.key)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def server(
    serve: Callable[..., Any], provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    openid = {
        "issuer": provider.issuer,
        "client_id": "hookledger",
        "name": "Example",
        "role_claim": "groups",
        "roles": ROLES,
    }
    folder: Path = tmp_path_factory.mktemp("openid")
    settings = {"HOOKLEDGER_DASHBOARD": json.dumps({"openid": openid})}
    with serve(folder, samples=True, settings=settings) as made:
        yield made


@pytest.fixture
def arrive(server: Any, visit: Callable[..., Any]) -> Callable[[str], Any]:
    """Come as somebody, by way of the provider."""

    def come(name: str) -> Any:
        visitor = visit(server)
        page = visitor.open("/hooks")
        page.get_by_role("button", name="Sign in with Example").click()
        page.get_by_role("link", name=name).click()
        return visitor

    return come


def test_everybody_arrives_where_they_wanted_to_go_and_sees_what_their_role_may_do(
    arrive: Callable[[str], Any],
) -> None:
    may_create, may_run = {}, {}
    for name in ("Vera", "Olga", "Ada"):
        visitor = arrive(name)
        page = visitor.page
        expect(page.get_by_role("heading", name="Hooks", level=1)).to_be_visible()
        may_create[name] = page.get_by_role("link", name="Create a hook").count() > 0
        page = visitor.open("/hooks/block-disposable-mail")
        may_run[name] = page.get_by_role("link", name="Edit and run").count() > 0
        visitor.open("/access")
        assert visitor.violations() == []
    assert may_create == {"Vera": False, "Olga": True, "Ada": True}
    assert may_run == {"Vera": False, "Olga": True, "Ada": True}


def test_what_somebody_does_is_an_event_in_their_name(
    arrive: Callable[[str], Any], server: Any
) -> None:
    page = arrive("Ada").open("/sync")

    page.get_by_role("button", name="Suspend").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("A look at roles")
    dialog.get_by_role("button", name="Suspend").click()

    expect(page.get_by_text("A look at roles").first).to_be_visible()
    (event,) = server.ask("GET", "/v1/audit?type=source.suspended").json()["events"]
    assert (event["actor"], event["origin"]) == ("person:ada", "dashboard")


def test_whoever_signed_out_or_is_signed_out_has_to_come_again(
    arrive: Callable[[str], Any],
) -> None:
    vera = arrive("Vera")
    expect(vera.page.get_by_role("heading", name="Hooks", level=1)).to_be_visible()
    ada = arrive("Ada")
    expect(ada.page.get_by_role("heading", name="Hooks", level=1)).to_be_visible()

    page = ada.open("/access")
    ends = page.get_by_role("button", name="the session of Vera")
    expect(ends.first).to_be_visible()
    while ends.count():  # those of other tests too
        ends.first.click()
        page.wait_for_load_state("networkidle")
        expect(page.locator("#notice")).to_be_visible()

    expect(vera.open("/hooks").get_by_role("button", name="Sign in with Example")).to_be_visible()
    ada.open("/hooks").get_by_role("button", name="Sign out").click()
    expect(ada.open("/hooks").get_by_role("button", name="Sign in with Example")).to_be_visible()


def test_who_has_no_role_and_who_comes_with_another_nonce_stays_outside(
    arrive: Callable[[str], Any], provider: Provider
) -> None:
    guest = arrive("Guest")
    expect(guest.page.get_by_text("has no role here")).to_be_visible()
    guest.complaints.clear()  # the browser notes each answer that refuses
    provider.nonce = "of somebody else"
    try:
        stranger = arrive("Ada")
    finally:
        provider.nonce = None
    expect(stranger.page.get_by_role("heading", name="Hooks", level=1)).not_to_be_visible()
    expect(stranger.open("/hooks").get_by_role("button", name="Sign in with Example")).to_be_visible()  # fmt: skip
    stranger.complaints.clear()
