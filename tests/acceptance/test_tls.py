"""The server over HTTPS, from the command that starts it to a token and a renewed certificate."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import threading
import time
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from app.domain.triggers.catalogue import CONTRACTS

PRE = "pre-user-registration"


def shown(server: Any) -> bytes | None:
    """Return the certificate that the server shows."""
    url = httpx.URL(server.address)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((url.host, url.port or 443), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        return secured.getpeercert(binary_form=True)


def test_a_client_gets_a_token_over_tls_and_calls_with_it(start: Any, workspace: Any) -> None:
    made = workspace.json(
        "clients", "create", "sdk", "--scope", "read:hooks", "--scope", "invoke:triggers"
    )
    fields = {
        "grant_type": "client_credentials",
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
    }
    with start("--local-tls") as server:
        port = httpx.URL(server.address).port or 443
        assert server.address == f"https://127.0.0.1:{port}"
        for domain in (f"127.0.0.1:{port}", f"localhost:{port}"):
            audience = f"https://{domain}/api/v2/"
            answer = server.client.post("/oauth/token", json={**fields, "audience": audience})
            assert answer.status_code == 200, answer.text
        headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
        assert server.client.get("/v1/hooks", headers=headers).status_code == 200
        assert server.client.get("/v1/audit", headers=headers).status_code == 403
        other = server.client.post(
            "/oauth/token", data={**fields, "audience": f"https://localhost:{port + 1}/api/v2/"}
        )
        assert other.json()["error"] == "access_denied"

        workspace.run("keys", "rotate-signing")
        assert len(server.client.get("/.well-known/jwks.json").json()["keys"]) == 2
        assert server.client.get("/v1/hooks", headers=headers).status_code == 200

        workspace.run("clients", "revoke", made["client_id"])
        server.eventually("/v1/audit?type=client.revoked", lambda found: found["events"])
        assert server.client.get("/v1/hooks", headers=headers).status_code == 401
        assert server.client.post("/oauth/token", data=fields).status_code == 401

        workspace.environment |= {
            "HOOKLEDGER_URL": server.address,
            "HOOKLEDGER_TOKEN": server.token,
        }
        refused = workspace.run("invoke", PRE, check=False)
        assert "certificate verify failed" in refused.stderr
        authority = str(workspace.root / "var" / "tls" / "ca.pem")
        assert "hookledger-hook" in workspace.run("invoke", PRE, "--ca-file", authority).stdout
        with pytest.raises(httpx.HTTPError):
            httpx.get(server.address.replace("https", "http"))


def test_sighup_takes_up_a_renewed_certificate_and_drops_no_call(
    start: Any, workspace: Any
) -> None:
    with start("--local-tls") as server:
        assert server.invoke(PRE, CONTRACTS[PRE].example).status_code == 200
        before = shown(server)
        (workspace.root / "var" / "tls" / "server.pem").unlink()
        # A second server renews what is missing before it learns that it may not run.
        second = workspace.run("serve", "--local-tls", "--port", "0", check=False)
        assert "runs on the data folder" in second.stderr
        assert shown(server) == before
        server.process.send_signal(signal.SIGHUP)
        pause = threading.Event()
        for _ in range(200):
            if shown(server) != before:
                break
            pause.wait(0.02)
        assert shown(server) != before
        # The connection that was open all the while.
        assert server.client.get("/healthz").status_code == 200


def test_a_certificate_that_cannot_be_used_is_said_in_a_sentence(workspace: Any) -> None:
    workspace.environment |= {"HOOKLEDGER_TLS_CERT": "nowhere.pem"}
    done = workspace.run("serve", check=False)
    assert done.returncode == 1
    assert "The TLS certificate nowhere.pem cannot be read: No such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_hook_of_credentials_exchange_decides_about_tokens(start: Any, workspace: Any) -> None:
    workspace.environment |= {"HOOKLEDGER_TOKEN_HOOK": "true"}
    made = workspace.json("clients", "create", "sdk", "--scope", "read:hooks")
    fields = {
        "grant_type": "client_credentials",
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
    }
    workspace.remove_hooks("credentials-exchange")
    workspace.write_hook(
        "credentials-exchange",
        "by-name",
        "from hookledger import InvalidScopeError\n"
        "def hook(client, scope, audience, context):\n"
        "    if client['name'] != 'sdk':\n"
        "        raise InvalidScopeError('not for ' + client['name'])\n"
        "    return {'scope': scope, 'https://x.example/tenant': client['tenant']}\n",
    )
    workspace.commit()
    with start() as server:
        answer = server.client.post("/oauth/token", data=fields)
        assert answer.json()["scope"] == "read:hooks"
        other = workspace.json("clients", "create", "other", "--scope", "read:hooks")
        server.eventually("/v1/audit?type=client.created", lambda found: len(found["events"]) > 2)
        refused = server.client.post(
            "/oauth/token",
            data={
                **fields,
                "client_id": other["client_id"],
                "client_secret": other["client_secret"],
            },
        )
        assert refused.status_code == 400
        assert refused.json() == {"error": "invalid_scope", "error_description": "not for other"}


def test_a_token_of_a_trusted_issuer_lets_in(start: Any, workspace: Any) -> None:
    key = RSAKey.generate_key(2048, {"kid": "theirs", "use": "sig"})
    jwks = workspace.root / "jwks.json"
    jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    issuer = {
        "name": "corporate",
        "issuer": "https://login.example.com/",
        "jwks": str(jwks),
        "audience": ["https://hooks.example.com/"],
        "scopes": {"hooks.run": ["invoke:triggers"]},
    }
    workspace.environment |= {"HOOKLEDGER_TRUSTED_ISSUERS": json.dumps([issuer])}
    now = int(time.time())
    claims = {
        "iss": issuer["issuer"],
        "sub": "ada",
        "aud": issuer["audience"],
        "iat": now,
        "exp": now + 600,
        "scp": ["hooks.run"],
    }
    token = jwt.encode({"alg": "RS256", "kid": "theirs"}, claims, key)
    with start() as server:
        headers = {"authorization": f"Bearer {token}"}
        answer = server.invoke(PRE, CONTRACTS[PRE].example, **headers)
        assert answer.status_code == 200
        assert server.client.get("/v1/hooks", headers=headers).status_code == 403
        found = server.eventually("/v1/invocations", lambda said: said["invocations"])
        assert found["invocations"][0]["caller"] == "corporate|ada"
