"""A server meets events of a newer one: nothing breaks, nothing is skipped, and it says so."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.application.views import AuditQuery
from app.bootstrap import orphans
from app.bootstrap.orphans import sweep_orphans
from app.bootstrap.readiness import readiness
from app.bootstrap.storage import Storage, open_storage
from app.bootstrap.transparency import open_prover, verify_installation
from app.domain.aggregates import Meta, recorded_as
from app.domain.callers.client import Client
from app.domain.errors import NotFound
from app.domain.triggers.trigger import Trigger
from config.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "var")


@pytest.fixture
def upgraded(settings: Settings) -> Settings:
    """A store to which a newer server has written, and then an older one again."""
    with open_storage(settings) as storage, recorded_as(Meta(actor="alice", origin="cli")):
        storage.ledger.record(Trigger(trigger="send-phone-message"))
    with contextlib.closing(sqlite3.connect(settings.database)) as newer, newer:
        newer.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES"
            ' (\'fleet:one\', 1, \'fleet.created\', \'{"meta": {"actor": "bob"}, "size": 3}\')'
        )
    with open_storage(settings) as storage, recorded_as(Meta(actor="carol", origin="cli")):
        storage.ledger.record(a_client("C1"))
    return settings


def a_client(client_id: str) -> Client:
    return Client.create(
        client_id, name=client_id, scopes=["read:audit"], secret_hash="s", token_hash="t"
    )


def checks_of(storage: Storage, prover: Any) -> dict[str, Any]:
    row = SimpleNamespace(applied="c" * 40)
    table = SimpleNamespace(sources={"default": row})
    hooks = SimpleNamespace(table=table, state=storage.hooks.state)
    engine = SimpleNamespace(
        storage=SimpleNamespace(hooks=hooks, followers=storage.followers),
        sources=SimpleNamespace(
            all=[SimpleNamespace(id="default")], label=lambda name, _source: name
        ),
    )
    found = readiness(cast("Any", engine), prover, ())
    assert not found.ready
    return {check.name: check for check in found.checks}


def test_the_audit_shows_it_and_the_hook_table_stops_before_it(upgraded: Settings) -> None:
    with open_storage(upgraded) as storage:
        rows = storage.audit.query(AuditQuery(), cursor=None, limit=10).items
        assert [(row.position, row.type, row.actor) for row in rows] == [
            (3, "client.created", "carol"),
            (2, "fleet.created", "bob"),
            (1, "trigger.created", "alice"),
        ]
        assert rows[1].data["members"] == ["size"]
        assert storage.hooks.table.position == 1
        assert storage.stored_hooks.position() == 1
        assert storage.hooks.table.clients == {}
        assert storage.stored_audit.position() == storage.transparency.position() == 3


def test_a_commit_that_a_newer_server_made_takes_effect_whole_or_not_at_all(
    settings: Settings,
) -> None:
    with open_storage(settings) as storage:
        with recorded_as(Meta(actor="alice", origin="cli", correlation_id="first")):
            storage.ledger.record(a_client("C1"), a_client("C2"))
        with recorded_as(Meta(actor="alice", origin="cli", correlation_id="second")):
            storage.ledger.record(a_client("C3"), a_client("C4"))
        head = storage.ledger.head()
        storage.stored_hooks.reset()
    with contextlib.closing(sqlite3.connect(settings.database)) as newer, newer:
        newer.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES"
            " ('fleet:one', 1, 'fleet.created', '{\"meta\": {\"correlation_id\": \"second\"}}')"
        )
        newer.execute("DELETE FROM projection_positions WHERE name = 'hook_table_v2'")
        for table in ("hooks", "triggers", "clients", "sources"):
            for generation in (1, 2):
                newer.execute(f"DROP TABLE IF EXISTS hook_table_v2_g{generation}_{table}")

    with open_storage(settings) as storage:
        storage.followers[0].wait(head, 1)
        assert set(storage.hooks.table.clients) == {"C1", "C2"}
        assert storage.stored_hooks.position() == 2


def test_readiness_names_the_event_and_the_way_out(upgraded: Settings) -> None:
    with open_storage(upgraded) as storage, open_prover(storage) as prover:
        prover.checkpoint()
        checks = checks_of(storage, prover)

    for name in ("projection:hook-table", "projection:hook_table_v2"):
        assert not checks[name].ok
        assert "stopped at event 2 (fleet.created)" in checks[name].detail
        assert "Run the server version that wrote it, or a newer one." in checks[name].detail
    for name in ("projection:audit_log_v2", "projection:transparency_v1", "checkpoints"):
        assert checks[name].ok


def test_a_server_whose_events_were_removed_is_not_ready(settings: Settings) -> None:
    with open_storage(settings) as storage:
        with recorded_as(Meta(actor="alice", origin="cli")):
            storage.ledger.record(a_client("C1"), a_client("C2"))
        for follower in storage.followers:
            assert follower.wait(storage.ledger.head(), 5)
    with contextlib.closing(sqlite3.connect(settings.database)) as attacker, attacker:
        attacker.execute("DROP TRIGGER stored_events_no_delete")
        attacker.execute("DELETE FROM stored_events WHERE rowid = 2")

    with open_storage(settings) as storage, open_prover(storage) as prover:
        checks = checks_of(storage, prover)

    for name in ("hook-table", "hook_table_v2", "audit_log_v2"):
        check = checks[f"projection:{name}"]
        assert not check.ok
        assert "has seen event 2, but the store ends at 1: events were removed" in check.detail


def test_it_is_signed_for_and_verified_like_any_other(upgraded: Settings) -> None:
    with open_storage(upgraded) as storage, open_prover(storage) as prover:
        assert prover.checkpoint().signed.checkpoint.size == 3
        event, proof = prover.inclusion(cast("Any", 2))
    assert (event.topic, proof.index) == ("fleet.created", 1)
    assert verify_installation(upgraded).report.verdict == "intact"


def test_what_is_known_can_still_be_changed(upgraded: Settings) -> None:
    with open_storage(upgraded) as storage, recorded_as(Meta(actor="dan", origin="cli")):
        client = storage.ledger.find(Client, "client:C1")
        assert client is not None
        client.revoke()
        assert storage.ledger.record(client) == 4


def test_keys_of_secrets_it_has_not_seen_are_not_taken_for_orphans(
    upgraded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "ORPHAN_AGE", timedelta(seconds=-1))
    with open_storage(upgraded) as storage:
        secret = storage.vault.seal("H1", "API_KEY", "value")
        sweep_orphans(storage)
        assert storage.vault.open("H1", secret) == "value"


def test_orphans_are_swept_when_everything_is_understood(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "ORPHAN_AGE", timedelta(seconds=-1))
    with open_storage(settings) as storage:
        secret = storage.vault.seal("H1", "API_KEY", "value")
        sweep_orphans(storage)
        with pytest.raises(NotFound):
            storage.vault.open("H1", secret)
