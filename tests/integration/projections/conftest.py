"""A ledger on a SQLite file with its stored views, and histories to fill them with."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.application.ledger import Ledger
from app.domain.aggregates import Commit, Meta, Root, recorded_as
from app.domain.callers.client import Client
from app.domain.errors import Problem
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName
from app.domain.hooks.secrets import SealedSecret
from app.domain.revisions import Position
from app.domain.sources.source import Source
from app.domain.sources.sync_runs import SyncRun
from app.domain.triggers.trigger import Trigger
from app.eventstore.sqlite import sqlite_environment
from projections.audit_log.stored import StoredAuditLog
from projections.event_log import StoredEventLog
from projections.hook_table.stored import StoredHookTable
from projections.sqlite import SQLiteDatabase
from projections.transparency.stored import StoredTransparencyLog
from projections.views import StoredView

TRIGGERS = ("pre-user-registration", "credentials-exchange")


class World:
    """A server's storage: events, log, views; and commands that make history."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = Ledger(sqlite_environment(path))
        self.log = StoredEventLog(self.ledger.recorder, self.ledger.mapper)
        self.database = SQLiteDatabase(path)
        self.hooks = StoredHookTable(self.database)
        self.audit = StoredAuditLog(self.database)
        self.tree = StoredTransparencyLog(self.database)
        self.views: tuple[StoredView, ...] = (self.hooks, self.audit, self.tree)
        self._serial = 0

    def close(self) -> None:
        self.database.close()
        self.ledger.close()

    def feed(self, view: StoredView, batch: int = 500) -> Position:
        """Apply everything there is to one view."""
        position = view.position()
        while recorded := self.log.select(position, batch):
            position = view.apply(position, recorded)
        return position

    def feed_all(self) -> None:
        for view in self.views:
            self.feed(view)

    def record(self, *aggregates: Root | None) -> Position:
        return self.ledger.record(*(each for each in aggregates if each is not None))

    @staticmethod
    def as_commit(sha: str, actor: str = "git-watcher") -> Any:
        commit = Commit(source="main", sha=sha, author="Ada", committer="Grace")
        return recorded_as(Meta(actor=actor, origin="git", reason="a push", commit=commit))

    @staticmethod
    def by(actor: str) -> Any:
        return recorded_as(Meta(actor=actor, origin="api"))

    def create_hook(self, number: int, **changes: Any) -> Hook:
        """Create the hook `hook-<number>` and reserve its name."""
        members: dict[str, Any] = {
            "name": f"hook-{number}",
            "trigger": TRIGGERS[number % 2],
            "owner": "source:main",
            "path": f"hooks/{number}",
            "language": "python",
            "script": f"# {number}",
            "dependencies": {},
            "settings": {"enabled": True, "order": number},
            "digest": f"{number}",
        }
        hook = Hook.create(ulid(number), **(members | changes))
        self.record(hook, HookName(name=hook.name, hook_id=hook.public_id))
        return hook

    def do(self, command: tuple[str, int, int]) -> None:
        """Carry out one command of a random history, if the present state allows it."""
        verb, number, argument = command
        self._serial += 1
        with self.as_commit(f"{argument:040x}") if argument % 3 else self.by(f"actor-{argument}"):
            getattr(self, f"_{verb}")(number, argument)

    def _hook(self, number: int) -> Hook | None:
        hook = self.ledger.find(Hook, f"hook:{ulid(number)}")
        return hook if hook is not None and not hook.deleted else None

    def _create(self, number: int, argument: int) -> None:
        if self.ledger.find(Hook, f"hook:{ulid(number)}") is None and not self._named(
            f"hook-{number}"
        ):
            self.create_hook(number)

    def _named(self, name: str) -> HookName | None:
        return self.ledger.find(HookName, f"name:{name}")

    def _change(self, number: int, argument: int) -> None:
        if hook := self._hook(number):
            hook.change_script("node", f"// {argument}", f"s{argument}")
            hook.change_dependencies({"idna": f"{argument}"}, f"d{argument}")
            hook.change_settings({"order": argument}, f"m{argument}")
            hook.move(f"elsewhere/{argument}")
            self.record(hook)

    def _rename(self, number: int, argument: int) -> None:
        hook, other = self._hook(number), self._hook(argument % 4)
        if hook is not None and other is not None and hook.name != other.name:
            names = hook.name, other.name
            hook.rename(names[1])
            other.rename(names[0])
            self.record(hook, other)

    def _delete(self, number: int, argument: int) -> None:
        if hook := self._hook(number):
            trigger, name = self._trigger(hook.trigger), self._named(hook.name)
            if trigger is not None:
                trigger.disable(hook.public_id)
            if name is not None:
                name.release(hook.public_id)
            hook.delete()
            self.record(*((hook, trigger, name) if argument % 2 else (name, trigger, hook)))

    def _secret(self, number: int, argument: int) -> None:
        if hook := self._hook(number):
            key = f"k{self._serial}"
            hook.set_secret(SealedSecret(f"S{argument % 3}", key, f"sealed {key}"))
            self.record(hook)

    def _forget(self, number: int, argument: int) -> None:
        hook = self._hook(number)
        if hook is not None and f"S{argument % 3}" in hook.secrets:
            hook.remove_secret(f"S{argument % 3}")
            self.record(hook)

    def _trigger(self, trigger: str) -> Trigger | None:
        return self.ledger.find(Trigger, f"trigger:{trigger}")

    def _enable(self, number: int, argument: int) -> None:
        if hook := self._hook(number):
            trigger = self._trigger(hook.trigger) or Trigger(trigger=hook.trigger)
            trigger.enable(hook.public_id, argument)
            self.record(trigger)

    def _disable(self, number: int, argument: int) -> None:
        hook = self._hook(number)
        if hook is not None and (trigger := self._trigger(hook.trigger)) is not None:
            trigger.disable(hook.public_id, break_glass=argument % 2 == 0)
            self.record(trigger)

    def _sync(self, number: int, argument: int) -> None:
        source = self.ledger.find(Source, "source:main") or Source(
            source="main", location="/srv/hooks", branch="main", path=""
        )
        commit = f"{argument:040x}"
        if number % 2:
            source.reject_revision(commit=commit, branch="main", problems=(Problem("no", "f", 3),))
            self.record(source)
        else:
            source.apply_revision(
                commit=commit, tree=commit, branch="main", plan_digest="p", counts={"n": number}
            )
            run = self.ledger.find(SyncRun, f"sync:main@{commit}")
            if run is None:
                run = SyncRun(source="main", commit=commit, changes=[{"hook": "hook-1"}])
            else:
                run.repeat([])
            self.record(source, run)

    def _client(self, number: int, argument: int) -> None:
        client = self.ledger.find(Client, f"client:C{number}")
        if client is None:
            client = Client.create(
                f"C{number}",
                name=f"client {number}",
                scopes=["read:audit", "invoke:triggers"],
                secret_hash=f"secret hash {number}",
                token_hash=f"token hash {number}",
            )
        elif argument % 2:
            client.revoke()
        self.record(client)


def ulid(number: int) -> str:
    """Return an id that looks like a real one."""
    return f"01M82SRC416E0JTJKNY3D2{number:04}"


TABLES = (
    "hooks",
    "triggers",
    "clients",
    "sources",
    "events",
    "labels",
    "marks",
    "spans",
    "days",
)
"""Those whose rows do not depend on how the events were parted into batches."""

VERBS = (
    "create",
    "change",
    "rename",
    "delete",
    "secret",
    "forget",
    "enable",
    "disable",
    "sync",
    "client",
)


@pytest.fixture
def verbs() -> tuple[str, ...]:
    """The commands of random histories."""
    return VERBS


@pytest.fixture(scope="session")
def make_world() -> Callable[[Path], World]:
    return World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with contextlib.closing(World(tmp_path / "hookledger.db")) as world:
        yield world


@pytest.fixture
def contents() -> Callable[[World], dict[str, list[tuple[Any, ...]]]]:
    return contents_of


def contents_of(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table of the views in use, whatever their generation."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with contextlib.closing(sqlite3.connect(world.path)) as connection:
        for view in world.views:
            (generation,) = connection.execute(
                "SELECT generation FROM projection_positions WHERE name = ?", (view.name,)
            ).fetchone()
            prefix = f"{view.name}_g{generation}_"
            for table in TABLES:
                with contextlib.suppress(sqlite3.OperationalError):  # of the other view
                    found[table] = connection.execute(
                        f"SELECT * FROM {prefix}{table} ORDER BY 1, 2, 3"
                    ).fetchall()
            if view is world.audit:
                connection.execute(
                    "CREATE VIRTUAL TABLE temp.words USING "
                    f"fts5vocab(main, '{prefix}events_0_words', 'instance')"
                )
                with contextlib.suppress(sqlite3.OperationalError):  # there is no row yet
                    found["words"] = connection.execute(
                        "SELECT * FROM temp.words ORDER BY 1, 2, 4"
                    ).fetchall()
    return found
