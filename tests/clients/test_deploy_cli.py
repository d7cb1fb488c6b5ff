"""Auth0's Deploy CLI, as it comes from its registry, imports and exports hooks here.

What an import did is read from the server, never from the exit status alone.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PRE = "pre-user-registration"
POST = "post-user-registration"
PHONE = "send-phone-message"
MASK = "_VALUE_NOT_SHOWN_"
SECRET = "hunter2-imported"
OTHER_SECRET = "hunter2-other"
MEMBERS = ("name", "script", "triggerId", "enabled", "dependencies")

NEWEST, LAST_7 = "8.44.0", "7.24.3"
matrix = pytest.mark.matrix


def versions(*given: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cli", given, indirect=True)


def also(version: str) -> Any:
    """Try one more version, where `make test-clients` asks for all."""
    return pytest.param(version, marks=matrix)


@dataclass
class DeployCli:
    """The command ``a0deploy``, for one tenant."""

    command: list[str]
    tenant: Any
    folder: Path

    def run(self, *arguments: str, **settings: Any) -> str:
        done = self.attempt(*arguments, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, *arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
        account = self.tenant.account()
        config = self.folder / "config.json"
        config.write_text(json.dumps({"AUTH0_INCLUDED_ONLY": ["hooks"]} | settings))
        return subprocess.run(
            [*self.command, *arguments, "--config_file", str(config)],
            cwd=self.folder,
            env=self.tenant.environment
            | {
                "AUTH0_DOMAIN": self.tenant.domain,
                "AUTH0_CLIENT_ID": account.id,
                "AUTH0_CLIENT_SECRET": account.secret,
            },
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    def exported(self, name: str, kind: str = "directory") -> Path:
        folder = self.folder / name
        self.run("export", "--format", kind, "--output_folder", str(folder))
        return folder


@pytest.fixture
def cli(request: pytest.FixtureRequest, node: Any, tenant: Any) -> DeployCli:
    package = node.install("auth0-deploy-cli", request.param)
    folder = tenant.workspace.root / "input"
    folder.mkdir()
    return DeployCli([str(node.binary), str(package / "lib" / "index.js")], tenant, folder)


def write_hook(folder: Path, name: str, script: str, **members: Any) -> None:
    """Write a hook as the CLI keeps one: a description, and the script beside it."""
    hooks = folder / "hooks"
    hooks.mkdir(parents=True, exist_ok=True)
    (hooks / f"{name}.js").write_text(script)
    described = {"name": name, "script": f"./{name}.js", "enabled": False, "dependencies": {}}
    (hooks / f"{name}.json").write_text(json.dumps(described | members))


def read_hooks(folder: Path) -> dict[str, Any]:
    """Read what the CLI exported, with the scripts in their places."""
    found = [json.loads(path.read_text()) for path in (folder / "hooks").glob("*.json")]
    for hook in found:
        hook["script"] = (folder / "hooks" / hook["script"]).read_bytes().decode()
    return {hook["name"]: hook for hook in found}


def create(tenant: Any, name: str, trigger: str, *, enabled: bool, **secrets: str) -> str:
    """Make a hook as another client would have done."""
    body = {"name": name, "script": f"'{name}'", "triggerId": trigger, "enabled": enabled}
    made = tenant.server.client.post("/api/v2/hooks", json=body).raise_for_status().json()
    if secrets:
        path = f"/api/v2/hooks/{made['id']}/secrets"
        tenant.server.client.post(path, json=secrets).raise_for_status()
    return str(made["id"])


def enabled_of(tenant: Any) -> set[str]:
    return {name for name, hook in tenant.hooks().items() if hook["enabled"]}


SCRIPT = """module.exports = function (user, context, cb) {
  cb(null, { user: { app_metadata: {
    greeting: "##GREETING##", list: @@LIST@@, left: "##UNKNOWN##",
    length: context.webtask.secrets.KEY.length,
  } } });
};
"""
KEYWORDS = {"GREETING": "grüß dich", "LIST": [1, "b", {"c": True}], "KEY": SECRET}


@versions(NEWEST, also(LAST_7))
def test_an_import_an_export_and_an_import_of_that_come_to_the_same(
    cli: DeployCli, tenant: Any
) -> None:
    source = cli.folder / "source"
    write_hook(
        source, "Greets Users", SCRIPT, triggerId=PRE, enabled=True, secrets={"KEY": "##KEY##"}
    )
    write_hook(source, "phones", "'not enabled'\r\n", triggerId=PHONE)
    cli.run("import", "--input_file", str(source), AUTH0_KEYWORD_REPLACE_MAPPINGS=KEYWORDS)

    hooks = tenant.hooks()
    assert set(hooks) == {"greets-users", "phones"}
    assert hooks["greets-users"]["secrets"] == ["KEY"]
    assert enabled_of(tenant) == {"greets-users"}
    triggers = tenant.server.client.get("/v1/triggers").json()["triggers"]
    example = next(trigger["example"] for trigger in triggers if trigger["id"] == PRE)
    ran = tenant.server.invoke(PRE, example).json()["data"]
    assert ran["user"]["app_metadata"] == {
        "greeting": "grüß dich",
        "list": [1, "b", {"c": True}],
        "left": "##UNKNOWN##",
        "length": len(SECRET),
    }

    before = tenant.position()
    exported = cli.exported("exported")
    found = read_hooks(exported)
    assert {name: hook["script"] for name, hook in found.items()} == {
        name: hook["script"] for name, hook in hooks.items()
    }
    greets, phones = found["greets-users"], found["phones"]
    assert (greets["triggerId"], greets["enabled"]) == (PRE, True)
    assert (phones["triggerId"], phones["enabled"]) == (PHONE, False)
    assert (greets["secrets"], phones.get("secrets", {})) == ({"KEY": MASK}, {})

    cli.run("import", "--input_file", str(exported))
    assert tenant.position() == before
    assert read_hooks(cli.exported("again")) == found
    assert tenant.traces_of(SECRET) == []


@versions(LAST_7, also(NEWEST))
def test_one_import_switches_renames_deletes_and_writes_secrets(
    cli: DeployCli, tenant: Any
) -> None:
    kept = create(tenant, "first", PRE, enabled=True, STAYS=SECRET, GOES="hunter2-goes")
    create(tenant, "second", PRE, enabled=False)
    create(tenant, "old", POST, enabled=True)
    source = cli.exported("source", "yaml")
    tenant_file = source / "tenant.yaml"
    secrets = {"STAYS": MASK, "COMES": OTHER_SECRET}
    hooks = [
        {"name": "first", "triggerId": PRE, "enabled": False, "secrets": secrets},
        {"name": "second", "triggerId": PRE, "enabled": True},
        {"name": "new", "triggerId": POST, "enabled": True},
    ]
    for hook in hooks:
        hook |= {"script": f"./hooks/{hook['name']}.js", "dependencies": {}}
        (source / "hooks" / f"{hook['name']}.js").write_text(f"'{hook['name']} again'")
    tenant_file.write_text(json.dumps({"hooks": hooks}))  # which is YAML too

    before = tenant.position()
    cli.run("import", "--input_file", str(tenant_file))
    assert set(tenant.hooks()) == {"first", "second", "old", "new"}
    assert enabled_of(tenant) == {"second", "new"}
    changed = tenant.hook(kept)
    assert (changed["script"], changed["secrets"]) == ("'first again'", ["COMES", "STAYS"])
    written = [e for e in tenant.events(before) if e["type"].startswith("hook.secret_")]
    assert sorted((event["type"], event["data"]["name"]) for event in written) == [
        ("hook.secret_removed", "GOES"),
        ("hook.secret_set", "COMES"),
    ]

    cli.run("import", "--input_file", str(tenant_file), AUTH0_ALLOW_DELETE=True)
    assert set(tenant.hooks()) == {"first", "second", "new"}
    assert enabled_of(tenant) == {"second", "new"}
    assert tenant.traces_of(SECRET, OTHER_SECRET, "hunter2-goes") == []


@versions(also(NEWEST))
def test_a_dry_run_tells_and_changes_nothing(cli: DeployCli, tenant: Any) -> None:
    create(tenant, "stays", PRE, enabled=True)
    source = cli.exported("source")
    before = tenant.position()
    assert "No changes detected" in cli.run("import", "--input_file", str(source), "--dry-run")
    write_hook(source, "announced", "'new'", triggerId=PHONE)
    assert "announced" in cli.run("import", "--input_file", str(source), "--dry-run")
    assert tenant.position() == before
    assert set(tenant.hooks()) == {"stays"}


@versions(also(NEWEST), also(LAST_7))
def test_an_empty_folder_deletes_nothing_unless_deleting_is_allowed(
    cli: DeployCli, tenant: Any
) -> None:
    create(tenant, "stays", PRE, enabled=True)
    (cli.folder / "source" / "hooks").mkdir(parents=True)
    source = str(cli.folder / "source")
    cli.run("import", "--input_file", source)
    assert set(tenant.hooks()) == {"stays"}
    cli.run("import", "--input_file", source, AUTH0_ALLOW_DELETE=True)
    assert tenant.hooks() == {}


@versions(also(NEWEST), also(LAST_7))
def test_an_import_writes_back_what_git_owns_but_cannot_change_it(
    cli: DeployCli, tenant: Any
) -> None:
    tenant.workspace.write_hook(PRE, "committed", "def hook(user, context):\n    return {}\n")
    commit = tenant.workspace.commit()
    tenant.server.eventually(
        "/v1/sync", lambda said: any(s["applied"] == commit for s in said["sources"])
    )
    exported = cli.exported("exported")
    assert set(read_hooks(exported)) == {"committed"}
    before = tenant.position()
    cli.run("import", "--input_file", str(exported))
    assert tenant.position() == before

    (exported / "hooks" / "committed.js").write_text("'changed'")
    refused = cli.attempt("import", "--input_file", str(exported))
    assert refused.returncode == 1
    assert f"hooks/{PRE}/committed" in refused.stdout + refused.stderr
    assert tenant.position() == before


@pytest.mark.timeout(300)
@versions(also(NEWEST), also(LAST_7))
def test_104_hooks_are_imported_listed_exported_and_imported_again(
    cli: DeployCli, tenant: Any
) -> None:
    source = cli.folder / "source"
    names = {f"hook-{number:03}" for number in range(104)}
    for name in names:
        write_hook(source, name, f"'{name}'", triggerId=PHONE)
    cli.run("import", "--input_file", str(source))
    assert set(tenant.hooks()) == names

    before = tenant.position()
    exported = cli.exported("exported")
    assert {name: hook["script"] for name, hook in read_hooks(exported).items()} == {
        name: f"'{name}'" for name in names
    }
    cli.run("import", "--input_file", str(exported))
    assert tenant.position() == before
