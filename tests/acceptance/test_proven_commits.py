"""A server that demands signatures, takes push notices and reads sealed secrets, as users have it."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

TRIGGER = "credentials-exchange"
PAYLOAD = {"audience": "https://api", "client": {"name": "c"}, "scope": []}
SECRET = "a-secret-of-the-forge"
SCRIPT = """
def hook(client, scope, audience, context):
    return {"scope": ["length:" + str(len(context.secrets["API_KEY"]))]}
"""
pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="git signs with it")


@pytest.fixture
def signing(workspace: Any) -> Path:
    """Have git sign with a key that the server allows."""
    key: Path = workspace.root / "id"
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", str(key)], check=True)
    allowed = workspace.root / "allowed_signers"
    allowed.write_text(f"carl@example.com {key.with_name('id.pub').read_text()}")
    for name, value in (("gpg.format", "ssh"), ("user.signingkey", str(key))):
        workspace.git("config", name, value)
    workspace.git("config", "commit.gpgsign", "true")
    workspace.commit("Begin to sign")
    workspace.environment |= {
        "HOOKLEDGER_VERIFY": "range",
        "HOOKLEDGER_ALLOWED_SIGNERS": str(allowed),
        "HOOKLEDGER_WEBHOOKS": f'{{"default": {{"secrets": ["{SECRET}"]}}}}',
    }
    return key


def test_a_signed_commit_brings_a_hook_and_its_secret_and_an_unsigned_one_nothing(
    workspace: Any, start: Any, signing: Path
) -> None:
    with start() as server:
        workspace.remove_hooks(TRIGGER)
        workspace.write_hook(TRIGGER, "sealed", SCRIPT, manifest="enabled = true\n")
        folder = workspace.hooks / TRIGGER / "sealed"
        sealed = workspace.run(
            "secrets", "seal", str(folder), "--from-file", "API_KEY=-", "--url", server.address,
            stdin="correct horse\n",
        )  # fmt: skip
        assert "API_KEY" in sealed.stdout
        assert "correct horse" not in (folder / "secrets.age").read_text()
        signed = workspace.commit("Add a hook with its secret")
        answer = server.until(TRIGGER, PAYLOAD, signed)
        assert "length:13" in answer.text

        [source] = server.client.get("/v1/sync").json()["sources"]
        assert source["signer"]["principal"] == "carl@example.com"
        events = server.client.get("/v1/audit", params={"commit": signed}).json()["events"]
        assert {event["data"]["commit_by"]["signer"]["method"] for event in events} == {"ssh"}
        assert "hook.secret_set" in {event["type"] for event in events}

        workspace.git("config", "commit.gpgsign", "false")
        workspace.write_hook(TRIGGER, "sealed", SCRIPT.replace("length", "evil"))
        unsigned = workspace.commit("Do harm")
        answers = server.eventually(
            "/v1/sync", lambda found: found["sources"][0]["state"] == "Rejected"
        )
        message = answers["sources"][0]["problems"][0]["message"]
        assert f"commit {unsigned[:12]} is not signed" in message
        assert "length:13" in server.invoke(TRIGGER, PAYLOAD).text

        # A later signed commit does not smuggle it in.
        workspace.git("config", "commit.gpgsign", "true")
        over = workspace.commit("Sign on top")
        refusals = f"/v1/audit?type=source.revision_rejected&commit={over}"
        server.eventually(refusals, lambda found: found["events"])
        assert "length:13" in server.invoke(TRIGGER, PAYLOAD).text

        body = b'{"ref": "refs/heads/main"}'
        mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        for signature, status in ((mac, 202), ("0" * 64, 401)):
            told = httpx.post(
                f"{server.address}/webhooks/github/default",
                content=body,
                headers={"x-hub-signature-256": f"sha256={signature}", "x-github-event": "push"},
            )
            assert told.status_code == status


def test_a_server_that_could_trust_nobody_does_not_start(workspace: Any) -> None:
    workspace.environment["HOOKLEDGER_VERIFY"] = "head"
    refused = workspace.run("serve", "--port", "0", check=False)
    assert refused.returncode == 1
    assert "HOOKLEDGER_ALLOWED_SIGNERS" in refused.stderr
