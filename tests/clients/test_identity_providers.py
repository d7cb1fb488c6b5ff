"""The examples of identity providers that ask hooks, run with the packages as published."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import Server, serving, with_samples
from tests.clients.conftest import CHECKOUT, INSTALLED, Node, install_once

EXAMPLES = CHECKOUT / "docs" / "examples" / "identity-providers"
PLAN = "https://hookledger.example/plan"
START_SECONDS = 30

Provider = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the sample hooks."""
    with serving(with_samples(tmp_path_factory.mktemp("samples"))) as server:
        yield server


@pytest.fixture(scope="module")
def examples(node: Node) -> Path:
    """Return a copy of the examples' folder with their packages installed."""
    folder = INSTALLED / "identity-providers"
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    copy = ["cp", str(EXAMPLES / "package.json"), str(folder)]
    install_once(folder, copy, [*node.npm, "install", "--prefix", str(folder), *options])
    for script in EXAMPLES.glob("*.js"):
        shutil.copy(script, folder)
    return folder


@pytest.fixture
def provider(node: Node, examples: Path, hooks: Server) -> Provider:
    """Start an example that asks the server at an address, or the one with the sample hooks."""

    @contextlib.contextmanager
    def start(script: str, asked: str = hooks.address) -> Iterator[httpx.Client]:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        process = subprocess.Popen(
            [str(node.binary), str(examples / script)],
            env={"PORT": str(port), "HOOKLEDGER_URL": asked, "HOOKLEDGER_TOKEN": hooks.token},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline(), f"{script} ended"
            origin = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=origin, timeout=START_SECONDS) as client:
                yield client
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    return start


def token_of(client: httpx.Client, name: str, scope: str) -> httpx.Response:
    secret = "a-secret-for-local-use-only"
    return client.post(
        "/token", data={"grant_type": "client_credentials", "scope": scope}, auth=(name, secret)
    )


def claims_in(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def test_oidc_provider_puts_claims_and_scopes_of_the_hook_into_tokens(provider: Provider) -> None:
    with provider("oidc-provider.js") as site:
        gold = token_of(site, "gold-client", "read:reports export:reports").json()
        assert gold["scope"] == "read:reports export:reports"
        assert claims_in(gold["access_token"])[PLAN] == "gold"

        free = token_of(site, "free-client", "read:reports export:reports").json()
        claims = claims_in(free["access_token"])
        assert (claims["scope"], claims[PLAN]) == ("read:reports", "free")
        assert claims["aud"] == "https://reports.example.com/"


def test_oidc_provider_refuses_what_the_hook_refuses(provider: Provider) -> None:
    with provider("oidc-provider.js") as site:
        refused = token_of(site, "free-client", "export:reports")
        assert refused.status_code == 400
        assert refused.json()["error"] == "invalid_scope"
        assert "the free plan" in refused.json()["error_description"]


def test_oidc_provider_gives_no_token_when_the_hook_cannot_be_asked(provider: Provider) -> None:
    with provider("oidc-provider.js", "http://127.0.0.1:9") as site:
        answer = token_of(site, "gold-client", "read:reports")
        assert answer.status_code == 500
        assert answer.json()["error"] == "server_error"


def sign_up(client: httpx.Client, address: str, language: str = "en") -> httpx.Response:
    return client.post(
        "/api/auth/sign-up/email",
        json={"name": "Ada", "email": address, "password": "a long enough password"},
        headers={"accept-language": language, "origin": str(client.base_url)},
    )


def test_better_auth_signs_up_whom_the_hook_admits(provider: Provider, hooks: Server) -> None:
    with provider("better-auth.js") as site:
        answer = sign_up(site, "ada+shop@example.com")
        assert answer.status_code == 200
        user = answer.json()["user"]
        assert user["appMetadata"] == {"normalised_email": "ada@example.com"}

        def delivered(page: dict[str, Any]) -> bool:
            return any(
                run["trigger"] == "post-user-registration" and run["kind"] == "succeeded"
                for run in page["invocations"]
            )

        hooks.eventually("/v1/invocations", delivered)


def test_better_auth_tells_the_person_why_the_hook_refused(provider: Provider) -> None:
    with provider("better-auth.js") as site:
        refused = sign_up(site, "eve@mailinator.com", "de-DE,de;q=0.9")
        assert refused.status_code == 403
        assert refused.json() == {
            "code": "PreUserRegistrationError",
            "message": "Bitte melden Sie sich mit einer dauerhaften E-Mail-Adresse an.",
        }
        signed_in = site.post(
            "/api/auth/sign-in/email",
            json={"email": "eve@mailinator.com", "password": "a long enough password"},
            headers={"origin": str(site.base_url)},
        )
        assert signed_in.status_code == 401


def test_better_auth_admits_nobody_when_the_hook_cannot_be_asked(provider: Provider) -> None:
    with provider("better-auth.js", "http://127.0.0.1:9") as site:
        assert sign_up(site, "ada@example.com").status_code == 503
