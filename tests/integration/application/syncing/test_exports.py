"""What was exported in any format, committed and synced comes to the same, and then to nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.application.managing.manage_secrets import set_secret
from app.application.managing.write_hooks import create_hook
from app.application.syncing.reconcile import Reconciler
from app.application.syncing.results import SourceSettings, SyncStatus
from app.application.syncing.sealed_secrets import SealedSecrets
from app.domain.aggregates import Meta
from app.domain.errors import Rejected
from app.domain.manifests.drafts import HookDraft
from app.domain.manifests.exports import ExportedHook, exported_triggers
from app.domain.sources.sync_policy import SyncPolicy
from app.gitops.formats.choice import Format, FormatSettings
from app.gitops.formats.writing import Written, write
from app.gitops.source import LocalRepository
from app.web.triggers.hooks import hook_members

META = Meta(actor="test", origin="cli")
FORMATS: tuple[Format, ...] = ("native", "auth0-directory", "auth0-yaml")
NODE = "module.exports = function (user, context, cb) {\r\n  cb(null, {'é': \"\\u0000\"});\r\n};\n"
PYTHON = "def hook(user, context):\n    return {}\n"

SOURCES: dict[str, dict[str, str]] = {
    "native": {
        "hooks/pre-user-registration/team-a/first/hook.toml": (
            'enabled = true\ntimeout = "1500ms"\nnetwork = ["api.example.com:443"]\norder = -3\n'
            '[dependencies]\nsemver = "7.5.4"\n[secrets]\nrequired = ["B", "A"]\n'
        ),
        "hooks/pre-user-registration/team-a/first/hook.js": NODE,
        "hooks/elsewhere/second/hook.toml": (
            'name = "other"\ntrigger = "credentials-exchange"\nprune = "confirm"\n'
            '[process]\nmemory = "128MiB"\nmax_age = "90m"\nmax_calls = 5\nmin_ready = 2\n'
        ),
        "hooks/elsewhere/second/hook.py": PYTHON,
        "triggers/order-placed.toml": 'purpose = "Check."\nmode = "chain"\n[payload]\ntype = "object"\n',
        "hookledger.toml": '[triggers.pre-user-registration]\nmode = "chain"\non_error = "open"\n',
        "hooks/order-placed/third/hook.toml": "enabled = true\n",
        "hooks/order-placed/third/hook.py": PYTHON,
    },
    "auth0-directory": {
        "hooks/Block Mail.json": orjson.dumps(
            {
                "name": "Block Mail",
                "triggerId": "pre-user-registration",
                "enabled": True,
                "script": "./Block Mail.js",
                "dependencies": {"semver": "7.5.4", "@scope/a": "1.0.0-rc.1"},
                "secrets": {"T": "##TOKEN##", "LATER": "_VALUE_NOT_SHOWN_"},
            }
        ).decode(),
        "hooks/Block Mail.js": NODE,
        "hooks/off.json": (
            '{"name": "off", "triggerId": "post-user-registration", "script": "./off.js",'
            ' "network": ["a.example:443"], "timeout": "2s", "order": 4, "secrets": {}}'
        ),
        "hooks/off.js": NODE,
    },
    "auth0-yaml": {
        "auth0.yaml": (
            "hooks:\n- {name: 'true', triggerId: post-change-password, script: ./a.js,"
            " enabled: true, dependencies: {a: 1.10.0}, secrets: {T: ##TOKEN##}}\n"
            "- {name: '123', triggerId: send-phone-message, script: ./a.js}\n"
        ),
        "a.js": NODE,
    },
}


class Followed:
    """A repository, and what follows it."""

    def __init__(self, world: Any, location: Path) -> None:
        self.world = world
        self.location = location
        location.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.repository = LocalRepository(
            location,
            "main",
            "",
            location.with_suffix(".mirror"),
            formats=FormatSettings(keywords={"TOKEN": "s3cret-token"}),
        )
        self.reconciler = Reconciler(
            SourceSettings(
                "default",
                str(location),
                "main",
                "",
                SyncPolicy(allow_empty=True, max_deletions=1000),
            ),
            repository=self.repository,
            ledger=world.ledger,
            hooks=world.hooks,
            runner=world.runner,
            packages=world.packages,
            vault=world.vault,
            secrets=SealedSecrets(world.vault, world.age),
            clock=world.clock,
            new_id=iter(f"01K{number:023d}" for number in range(1000)).__next__,
        )

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.location, check=True, capture_output=True)

    def sync(self, files: Mapping[str, str | bytes]) -> Any:
        """Replace everything by ``files``, commit, and sync."""
        self.git("rm", "-r", "--quiet", "--ignore-unmatch", ".")
        for place, content in files.items():
            file = self.location / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        try:
            return self.world.run(self.reconciler.sync())
        finally:
            self.repository.close()

    def told(self) -> list[dict[str, Any]]:
        """Say of each hook what the server answers, as JSON has it."""
        rows = self.world.caught_up().table.hooks.values()
        told = [
            orjson.dumps(hook_members(row) | {"script": row.script}, default=dict) for row in rows
        ]
        return [orjson.loads(each) for each in told]

    def export(self, kind: Format) -> Written:
        table = self.world.caught_up().table
        triggers = [
            {
                "id": row.id,
                "owner": row.owner,
                **_contract(table, row.id),
            }
            for row in table.triggers.values()
        ]
        return write(
            kind, [ExportedHook.of(each) for each in self.told()], exported_triggers(triggers)
        )

    def facts(self) -> list[dict[str, Any]]:
        """What is the same after a round trip: all but ids, times and positions."""
        kept = (
            "name",
            "trigger",
            "language",
            "enabled",
            "dependencies",
            "settings",
            "script",
            "secrets",
        )
        return [{key: hook[key] for key in kept} for hook in self.told()]


def _contract(table: Any, trigger: str) -> dict[str, Any]:
    from app.application.invoking.contracts import contract_in
    from app.web.triggers.hooks import trigger_members

    told = trigger_members(contract_in(table, trigger), table.triggers.get(trigger))
    return {key: told[key] for key in told if key not in ("id", "owner")}


@pytest.fixture
def followed(world: Any, tmp_path: Path) -> Followed:
    return Followed(world, tmp_path / "followed")


def hook_topics(world: Any, since: int) -> list[str]:
    return [t for t in world.topics()[since:] if not t.startswith(("sync_run.", "source."))]


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_is_what_was_imported_and_importing_it_changes_nothing(
    followed: Followed, world: Any, kind: Format
) -> None:
    followed.sync(SOURCES[kind])
    before, head = followed.facts(), world.ledger.head()
    assert before
    written = followed.export(kind)
    result = followed.sync(written.files)
    assert [change.described() for change in result.plan.changes] == []
    assert hook_topics(world, head) == []
    assert followed.facts() == before
    assert followed.export(kind) == written
    assert followed.sync(written.files).status is SyncStatus.UNCHANGED


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_in_another_format_settles_after_one_import(
    followed: Followed, world: Any, source: Format, kind: Format
) -> None:
    files = dict(SOURCES[source])
    if source == "native":
        first = "hooks/pre-user-registration/team-a/first/hook.toml"
        files[first] = files[first].replace('"B", "A"', '"A", "B"')
        manifest = "hooks/elsewhere/second/hook.toml"
        files[manifest] = 'name = "other"\ntrigger = "credentials-exchange"\n'
    followed.sync(files)
    before = followed.facts()
    ids = {hook["name"]: hook["id"] for hook in followed.told()}
    written = followed.export(kind)
    assert written.warnings == ()
    followed.sync(written.files)
    assert followed.facts() == before
    assert {hook["name"]: hook["id"] for hook in followed.told()} == ids
    head = world.ledger.head()
    again = followed.export(kind)
    assert followed.sync({**again.files, "README.md": b"another tree"}).plan.changes == ()
    assert hook_topics(world, head) == []


def test_no_export_holds_the_value_of_a_secret(followed: Followed) -> None:
    followed.sync(SOURCES["auth0-directory"])
    for kind in FORMATS:
        files = followed.export(kind).files
        assert [place for place, text in files.items() if b"s3cret-token" in text] == []
        assert any(b"LATER" in text for text in files.values())


@pytest.mark.parametrize("kind", FORMATS)
def test_hooks_of_the_api_are_exported_as_they_are_in_force(
    followed: Followed, world: Any, kind: Format, tmp_path: Path
) -> None:
    draft = HookDraft(
        "by-hand", "pre-user-registration", NODE, enabled=True, dependencies={"a": "1.0.0"}
    )
    made = create_hook(world.ledger, f"01J{9:023d}", draft, META)
    set_secret(world.ledger, world.vault, made.id, "K", "value", META)
    written = followed.export(kind)
    (text,) = [t.decode() for place, t in written.files.items() if not place.endswith(".js")]
    assert "K" in text
    assert ("enabled = true" in text) or ("enabled: true" in text) or ('"enabled": true' in text)
    with pytest.raises(Rejected, match="belongs to a hook owned by `api`"):
        followed.sync(written.files)


def test_what_a_format_cannot_say_is_told(followed: Followed) -> None:
    files = dict(SOURCES["native"])
    place = "hooks/order-placed/third"
    files[f"{place}/hook.py"] = PYTHON + "# ##MARK## here\n"
    followed.sync(files)
    warnings = " | ".join(followed.export("auth0-yaml").warnings)
    assert "`other` says [process]" in warnings
    assert "`other` is protected by `prune`" in warnings
    assert "`third` holds what these formats take for markers: MARK" in warnings


def test_a_server_cannot_make_an_export_write_elsewhere() -> None:
    hook = {
        "name": "a",
        "trigger": "pre-user-registration",
        "path": "hooks/../../../evil",
        "language": "node",
        "script": NODE,
        "enabled": False,
        "dependencies": {},
        "settings": {
            "enabled": False, "order": 0, "timeout_ms": 5000, "network": [],
            "required_secrets": [], "prune": "auto",
        },
        "secrets": [],
        "owner": "source:default",
    }  # fmt: skip
    for path in (
        "hooks/../../../evil",
        "hooks/../evil.json",
        "../evil.yaml",
        "/etc/x",
        "hooks/a b",
    ):
        for kind in FORMATS:
            files = write(kind, [ExportedHook.of(hook | {"path": path})]).files
            assert [p for p in files if ".." in p or "evil" in p or p.startswith("/")] == []
    for evil in ({"name": "../x"}, {"trigger": "../x"}, {"language": "perl"}, {"secrets": ["-x"]}):
        with pytest.raises(Rejected):
            ExportedHook.of(hook | evil)
    with pytest.raises(Rejected, match="cannot be used"):
        ExportedHook.of({"name": "a"})


def test_a_server_without_hooks_gives_a_folder_that_says_so(followed: Followed) -> None:
    for kind in FORMATS:
        result = followed.sync(followed.export(kind).files)
        assert result.plan is None or result.plan.changes == ()
