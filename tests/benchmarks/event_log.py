"""A long, realistic history, written fast: what a million events of a busy server look like.

    python -m tests.benchmarks.event_log FILE EVENTS [HOOKS]

Most events come from commits that change a few scripts; between them people set secrets, swap the
enabled hook, rename, delete and create hooks and clients, and now and then a commit is refused. The
history is one that the aggregates could have written (versions without gaps, one enabled hook for
each trigger), encoded by the server's own mapper, so every projection takes it in. The same
arguments give the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, cast

from eventsourcing.domain import DomainEventProtocol

from app.application.ledger import Ledger
from app.domain.aggregates import DomainEvent
from app.domain.callers.client import Client
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName
from app.domain.sources.source import Source
from app.domain.sources.sync_runs import SyncRun
from app.domain.triggers.catalogue import CONTRACTS
from app.domain.triggers.trigger import Trigger
from app.eventstore.mapper import EventMapper
from app.eventstore.sqlite import sqlite_environment

SOURCE = "default"
BRANCH = "main"
_BEGIN = datetime(2024, 1, 1, 8, 0, tzinfo=UTC)
_BATCH = 50_000
_INSERT = """
INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?)"""
_PEOPLE = [f"{name} <{name.lower()}@example.com>" for name in ("Ada", "Grace", "Edsger", "Barbara")]
_CLIENTS = [f"client:01HZ{number:022}" for number in range(20)]
_SCRIPT = '''def hook(user, context):
    """Revision {revision} of {name}: refuse what the policy {policy} does not allow."""
    domain = user["email"].rpartition("@")[2]
    if domain in {domains!r}:
        raise PreUserRegistrationError("Please use a permanent address.")
    return {{"user": {{"app_metadata": {{"checked_by": "{policy}"}}}}}}
'''


def generate(database: Path, events: int, *, hooks: int = 1000, seed: int = 1) -> None:
    """Make the event store ``database`` and fill it with exactly ``events`` events.

    ``hooks`` is about how many hooks exist at a time. Raises ``FileExistsError`` rather than add to
    a store. A million events take about a minute and 900 MB.
    """
    if database.exists():
        raise FileExistsError(database)
    database.parent.mkdir(parents=True, exist_ok=True)
    Ledger(sqlite_environment(database)).close()
    encode = EventMapper().to_stored_event
    history = islice(_History(hooks, seed).events(), events)
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        while batch := list(islice(history, _BATCH)):
            stored = (encode(cast("DomainEventProtocol[str]", event)) for event in batch)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                _INSERT,
                ((s.originator_id, s.originator_version, s.topic, s.state) for s in stored),
            )
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class _History:
    """What happens, story by story; each story is what one command or commit records."""

    def __init__(self, hooks: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._wanted = hooks
        self._clock = _BEGIN
        self._serial = 0
        self._versions: dict[str, int] = {}
        self._hooks: list[dict[str, Any]] = []
        self._released: list[str] = []
        self._enabled: dict[str, str] = {}
        self._clients: list[str] = []
        self._applied: str | None = None
        self._meta: dict[str, Any] = {}

    def events(self) -> Iterator[DomainEvent]:
        """Return events without end."""
        self._begin_story(git=True)
        yield self._fact(
            Source.Created,
            f"source:{SOURCE}",
            originator_topic=Source.TOPIC,
            source=SOURCE,
            location="/srv/hooks.git",
            branch=BRANCH,
            path="",
        )
        for trigger in CONTRACTS:
            yield self._fact(
                Trigger.Created,
                f"trigger:{trigger}",
                originator_topic=Trigger.TOPIC,
                trigger=trigger,
            )
        while True:
            yield from self._commit(creations=min(100, self._wanted - len(self._hooks)))
            if len(self._hooks) >= self._wanted:
                break
        stories = (self._commit, self._secret, self._swap, self._rename, self._delete,
                   self._client, self._refused)  # fmt: skip
        weights = (600, 150, 100, 20, 10, 20, 20)
        while True:
            (story,) = self._random.choices(stories, weights)
            yield from story()

    def _begin_story(self, *, git: bool) -> str:
        """Let time pass and say who acts; return a new commit's id."""
        self._serial += 1
        self._clock += timedelta(seconds=self._random.expovariate(1 / 240))
        commit = hashlib.sha1(f"commit {self._serial}".encode()).hexdigest()
        correlation = f"01HX{self._serial:022}"
        if git:
            author = self._random.choice(_PEOPLE)
            self._meta = {
                "actor": f"source:{SOURCE}", "origin": "git", "correlation_id": correlation,
                "source": SOURCE, "commit": commit, "author": author, "committer": author,
            }  # fmt: skip
        else:
            self._meta = {
                "actor": self._random.choice(_CLIENTS), "origin": "api",
                "correlation_id": correlation, "reason": f"ticket {self._random.randrange(10**5)}",
            }  # fmt: skip
        return commit

    def _fact(self, event_class: Any, stream: str, **members: Any) -> DomainEvent:
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        self._clock += timedelta(microseconds=37)
        return cast(
            "DomainEvent",
            event_class(
                originator_id=stream,
                originator_version=version,
                timestamp=self._clock,
                meta=self._meta,
                **members,
            ),
        )

    def _commit(self, creations: int | None = None) -> Iterator[DomainEvent]:
        commit = self._begin_story(git=True)
        changes = []
        if creations is None:
            creations = int(len(self._hooks) < self._wanted)
            for hook in self._random.sample(
                self._hooks, min(len(self._hooks), self._random.choice((1, 1, 1, 2, 3, 8)))
            ):
                changes.append({"kind": "change", "hook": hook["name"]})
                yield self._change(hook)
        for _ in range(creations):
            created = list(self._creation())
            changes.append({"kind": "create", "hook": self._hooks[-1]["name"]})
            yield from created
        yield self._fact(
            Source.RevisionApplied,
            f"source:{SOURCE}",
            commit=commit,
            tree=commit[::-1],
            branch=BRANCH,
            previous=self._applied,
            plan_digest=_digest(commit),
            counts={"created": creations, "changed": len(changes) - creations},
        )
        self._applied = commit
        yield self._fact(
            SyncRun.Created,
            f"sync:{SOURCE}@{commit}",
            originator_topic=SyncRun.TOPIC,
            source=SOURCE,
            commit=commit,
            changes=changes,
        )

    def _creation(self) -> Iterator[DomainEvent]:
        number = self._serial * 1000 + len(self._hooks)
        identifier = f"01HK{number:022}"
        name = self._released.pop() if self._released else f"policy-{number}"
        trigger = list(CONTRACTS)[number % len(CONTRACTS)]
        hook = {"id": identifier, "name": name, "trigger": trigger, "revision": 0, "secrets": {}}
        script = self._script(hook)
        if f"name:{name}" in self._versions:
            yield self._fact(HookName.Reserved, f"name:{name}", hook_id=identifier)
        else:
            yield self._fact(
                HookName.Created,
                f"name:{name}",
                originator_topic=HookName.TOPIC,
                name=name,
                hook_id=identifier,
            )
        yield self._fact(
            Hook.Created,
            f"hook:{identifier}",
            originator_topic=Hook.TOPIC,
            name=name,
            trigger=trigger,
            owner=f"source:{SOURCE}",
            path=f"hooks/{trigger}/{name}",
            language="python",
            script=script,
            dependencies={},
            settings=self._settings(),
            digest=_digest(script),
        )
        self._hooks.append(hook)

    def _change(self, hook: dict[str, Any]) -> DomainEvent:
        stream, kind = f"hook:{hook['id']}", self._random.random()
        if kind < 0.8:
            script = self._script(hook)
            return self._fact(
                Hook.ScriptChanged, stream, language="python", script=script, digest=_digest(script)
            )
        digest = _digest(f"{hook['id']} {self._serial}")
        if kind < 0.95:
            return self._fact(
                Hook.SettingsChanged, stream, settings=self._settings(), digest=digest
            )
        dependencies = {"idna": f"3.{self._random.randrange(20)}"}
        return self._fact(
            Hook.DependenciesChanged, stream, dependencies=dependencies, digest=digest
        )

    def _secret(self) -> Iterator[DomainEvent]:
        self._begin_story(git=False)
        hook = self._random.choice(self._hooks)
        name = self._random.choice(("API_KEY", "WEBHOOK_URL", "SIGNING_SECRET"))
        secrets = hook["secrets"]
        if name in secrets and self._random.random() < 0.2:
            yield self._fact(
                Hook.SecretRemoved, f"hook:{hook['id']}", name=name, key_id=secrets.pop(name)
            )
            return
        replaced, secrets[name] = secrets.get(name), f"01HS{self._serial:022}"
        yield self._fact(
            Hook.SecretSet,
            f"hook:{hook['id']}",
            name=name,
            key_id=secrets[name],
            ciphertext=_digest(f"{hook['id']} {self._serial}") + "==",
            replaced_key_id=replaced,
        )

    def _swap(self) -> Iterator[DomainEvent]:
        self._begin_story(git=False)
        hook = self._random.choice(self._hooks)
        trigger, identifier = hook["trigger"], hook["id"]
        enabled = self._enabled.get(trigger)
        if enabled == identifier:
            del self._enabled[trigger]
            yield self._fact(
                Trigger.HookDisabled, f"trigger:{trigger}", hook_id=identifier, break_glass=True
            )
            return
        self._enabled[trigger] = identifier
        yield self._fact(
            Trigger.HookEnabled,
            f"trigger:{trigger}",
            hook_id=identifier,
            order=0,
            replaced=[enabled] if enabled else [],
        )

    def _rename(self) -> Iterator[DomainEvent]:
        self._begin_story(git=False)
        hook = self._random.choice(self._hooks)
        previous, name = hook["name"], f"policy-{self._serial}-renamed"
        hook["name"] = name
        yield self._fact(HookName.Released, f"name:{previous}", hook_id=hook["id"])
        self._released.append(previous)
        yield self._fact(
            HookName.Created,
            f"name:{name}",
            originator_topic=HookName.TOPIC,
            name=name,
            hook_id=hook["id"],
        )
        yield self._fact(Hook.Renamed, f"hook:{hook['id']}", name=name, previous=previous)

    def _delete(self) -> Iterator[DomainEvent]:
        self._begin_story(git=False)
        hook = self._hooks.pop(self._random.randrange(len(self._hooks)))
        identifier, trigger = hook["id"], hook["trigger"]
        if self._enabled.get(trigger) == identifier:
            del self._enabled[trigger]
            yield self._fact(
                Trigger.HookDisabled, f"trigger:{trigger}", hook_id=identifier, break_glass=False
            )
        yield self._fact(HookName.Released, f"name:{hook['name']}", hook_id=identifier)
        self._released.append(hook["name"])
        yield self._fact(Hook.Deleted, f"hook:{identifier}", name=hook["name"], trigger=trigger)
        if not self._hooks:
            yield from self._commit(creations=1)

    def _client(self) -> Iterator[DomainEvent]:
        self._begin_story(git=False)
        if len(self._clients) >= len(_CLIENTS):
            revoked = self._clients.pop(self._random.randrange(len(self._clients)))
            yield self._fact(Client.Revoked, f"client:{revoked}")
            return
        identifier = f"01HC{self._serial:022}"
        self._clients.append(identifier)
        yield self._fact(
            Client.Created,
            f"client:{identifier}",
            originator_topic=Client.TOPIC,
            name=f"service {self._serial}",
            scopes=["invoke:triggers", "read:audit"],
            secret_hash=_digest(f"secret {self._serial}"),
            token_hash=_digest(f"token {self._serial}"),
        )

    def _refused(self) -> Iterator[DomainEvent]:
        commit = self._begin_story(git=True)
        problem = {"message": "unknown key `tigger`", "file": "hooks/a/hook.toml", "line": 2}
        yield self._fact(
            Source.RevisionRejected,
            f"source:{SOURCE}",
            commit=commit,
            branch=BRANCH,
            problems=[problem | {"key": "tigger"}],
        )

    def _script(self, hook: dict[str, Any]) -> str:
        hook["revision"] += 1
        domains = [f"throwaway-{self._random.randrange(1000)}.example" for _ in range(4)]
        return _SCRIPT.format(
            revision=hook["revision"], name=hook["name"], policy=self._serial, domains=domains
        )

    def _settings(self) -> dict[str, Any]:
        return {
            "enabled": True,
            "order": self._random.randrange(10),
            "timeout_ms": self._random.choice((1000, 5000, 10_000)),
            "network": ["api.example.com:443"],
            "required_secrets": ["API_KEY"],
            "prune": "auto",
        }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    file, count, *rest = sys.argv[1:]
    generate(Path(file), int(count), **({"hooks": int(rest[0])} if rest else {}))
