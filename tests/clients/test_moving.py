"""The guide for movers: the sample export goes to a server by the Deploy CLI, and out again."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

EXPORT = Path(__file__).resolve().parents[1] / "data" / "auth0-export"
NEWEST = "8.44.0"


def test_the_sample_export_is_imported_by_the_deploy_cli_and_exported_by_ours(
    node: Any, tenant: Any
) -> None:
    folder = tenant.workspace.root / "input"
    shutil.copytree(EXPORT, folder)
    sms = folder / "hooks" / "Compose SMS.json"
    sms.write_text(sms.read_text().replace('"lodash": "^4.17.21"', '"request": "2.88.0"'))
    package = node.install("auth0-deploy-cli", NEWEST)
    account = tenant.account()
    done = subprocess.run(
        [
            str(node.binary),
            str(package / "lib" / "index.js"),
            "import",
            "--input_file",
            str(folder),
        ],
        cwd=folder,
        env=tenant.environment
        | {
            "AUTH0_DOMAIN": tenant.domain,
            "AUTH0_CLIENT_ID": account.id,
            "AUTH0_CLIENT_SECRET": account.secret,
            "AUTH0_INCLUDED_ONLY": '["hooks"]',
            "AUTH0_KEYWORD_REPLACE_MAPPINGS": '{"CRM_TOKEN": "the-token-of-the-crm"}',
        },
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    imported = tenant.hooks()
    assert {name: hook["enabled"] for name, hook in imported.items()} == {
        "add-plan-claim": True,
        "block-disposable-mail": True,
        "compose-sms": False,
        "flag-sessions": False,
        "welcome-note": True,
    }
    tenant.workspace.environment |= {
        "HOOKLEDGER_URL": tenant.server.address,
        "HOOKLEDGER_TOKEN": tenant.server.token,
        "HOOKLEDGER_CA_FILE": str(tenant.workspace.root / "var" / "tls" / "ca.pem"),
    }
    back = tenant.workspace.root / "back"
    tenant.workspace.run("export", "--output", str(back), "--format", "auth0-directory")
    for file in (folder / "hooks").glob("*.json"):
        name = file.stem.lower().replace(" ", "-")
        theirs = json.loads(file.read_text())
        ours = json.loads((back / "hooks" / f"{name}.json").read_text())
        assert ours["enabled"] == theirs["enabled"]
        assert ours["dependencies"] == theirs["dependencies"]
        assert ours.get("secrets", {}) == dict.fromkeys(theirs["secrets"], "_VALUE_NOT_SHOWN_")
        script = (back / "hooks" / f"{name}.js").read_bytes()
        assert script == file.with_suffix(".js").read_bytes()
    assert not tenant.traces_of("the-token-of-the-crm")
