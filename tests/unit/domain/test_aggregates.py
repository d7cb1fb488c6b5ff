"""Aggregates: what they refuse, what they record, and that repeating a command records nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eventsourcing.utils import get_topic

from app.domain.aggregates import Commit, Meta, Root, recorded_as
from app.domain.callers.client import Client
from app.domain.errors import Conflict, NotFound, Problem, Rejected
from app.domain.hooks.hook import Hook
from app.domain.hooks.names import HookName, check_name
from app.domain.hooks.secrets import MAX_SECRETS_PER_HOOK, SealedSecret, check_secret
from app.domain.sources.source import Source
from app.domain.triggers.trigger import Trigger


@pytest.fixture(autouse=True)
def recorded() -> Iterator[None]:
    with recorded_as(Meta(actor="test", origin="system")):
        yield


def make_hook(name: str = "a") -> Hook:
    return Hook.create(
        "01J0000000000000000000000A",
        name=name,
        trigger="pre-user-registration",
        owner="source:default",
        path=f"hooks/{name}",
        language="python",
        script="x",
        dependencies={},
        settings={"enabled": True},
        digest="d",
    )


def topics(aggregate: Root) -> list[str]:
    return [get_topic(type(event)) for event in aggregate.pending_events]


def test_an_event_outside_a_command_is_refused() -> None:
    trigger = Trigger(trigger="t")
    with pytest.raises(LookupError):
        __import__("contextvars").Context().run(trigger.enable, "h")


def test_meta_is_stored_flat_and_without_unknowns() -> None:
    commit = Commit(source="s", sha="c" * 40, author="A", committer="B")
    meta = Meta(actor="source:s", origin="git", commit=commit)
    assert meta.stored() == {
        "actor": "source:s",
        "origin": "git",
        "source": "s",
        "commit": "c" * 40,
        "author": "A",
        "committer": "B",
    }


def test_a_change_to_what_is_already_so_records_nothing() -> None:
    hook = make_hook()
    hook.collect_events()
    hook.change_script("python", "x", "d")
    hook.change_dependencies({}, "d")
    hook.change_settings({"enabled": True}, "d")
    hook.move("hooks/a")
    hook.rename("a")
    assert topics(hook) == []


def test_each_change_is_an_event_of_its_own() -> None:
    hook = make_hook()
    hook.change_script("python", "y", "e")
    hook.change_dependencies({"p": "1"}, "f")
    hook.change_settings({"enabled": False}, "g")
    hook.move("hooks/b")
    hook.rename("b")
    hook.delete()
    hook.delete()
    assert topics(hook) == [
        "hook.created",
        "hook.script_changed",
        "hook.dependencies_changed",
        "hook.settings_changed",
        "hook.moved",
        "hook.renamed",
        "hook.deleted",
    ]


def test_a_deleted_hook_cannot_change() -> None:
    hook = make_hook()
    hook.delete()
    with pytest.raises(Conflict, match="deleted"):
        hook.change_script("python", "y", "e")


def test_setting_a_secret_again_returns_the_key_to_destroy() -> None:
    hook = make_hook()
    assert hook.set_secret(SealedSecret("A", "k1", "c")) is None
    assert hook.set_secret(SealedSecret("A", "k2", "c")) == "k1"
    assert hook.remove_secret("A") == "k2"
    with pytest.raises(NotFound):
        hook.remove_secret("A")


def test_a_hook_has_at_most_twenty_secrets_but_may_replace_one() -> None:
    hook = make_hook()
    for number in range(MAX_SECRETS_PER_HOOK):
        hook.set_secret(SealedSecret(f"S{number}", f"k{number}", "c"))
    with pytest.raises(Rejected, match="20"):
        hook.set_secret(SealedSecret("ONE_MORE", "k", "c"))
    assert hook.set_secret(SealedSecret("S0", "new", "c")) == "k0"


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a b", "a_b", "ä", "a" * 101, "a/b", "a\n"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(Rejected):
        check_name(name)


@pytest.mark.parametrize("name", ["a", "a1", "block-disposable-mail", "0"])
def test_names_that_can_be(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "value"),
    [("", "v"), ("-A", "v"), ("A B", "v"), ("A", ""), ("A", "x" * 4097), ("A\n", "v")],
)
def test_secrets_that_cannot_be(name: str, value: str) -> None:
    with pytest.raises(Rejected) as refusal:
        check_secret(name, value)
    assert value not in str(refusal.value) or not value.strip("vx")


def test_a_name_is_held_by_one_hook_until_it_is_released() -> None:
    name = HookName(name="a", hook_id="1")
    name.reserve("1")
    with pytest.raises(Conflict, match="taken"):
        name.reserve("2")
    name.release("2")
    name.release("1")
    name.reserve("2")
    assert topics(name) == ["hook_name.created", "hook_name.released", "hook_name.reserved"]


def test_enabling_switches_the_former_hook_off_in_one_event() -> None:
    trigger = Trigger(trigger="t")
    trigger.enable("1")
    trigger.enable("2", order=3)
    trigger.enable("2", order=3)
    trigger.enable("2", order=4)
    trigger.disable("2")
    trigger.disable("2")
    assert trigger.enabled == {}
    assert topics(trigger) == [
        "trigger.created",
        "trigger.hook_enabled",
        "trigger.hook_enabled",
        "trigger.order_changed",
        "trigger.hook_disabled",
    ]


def test_a_refusal_is_recorded_once_and_forgotten_when_a_commit_applies() -> None:
    source = Source(source="s", location="/r", branch="main", path="")
    problem = (Problem("bad", file="f", line=1, key="k"),)
    for _ in range(2):
        source.reject_revision(commit="b" * 40, branch="main", problems=problem)
    source.apply_revision(commit="c" * 40, tree="t", branch="main", plan_digest="p", counts={})
    source.apply_revision(commit="c" * 40, tree="t", branch="main", plan_digest="p", counts={})
    assert source.rejected is None
    assert topics(source) == [
        "source.created",
        "source.revision_rejected",
        "source.revision_applied",
    ]


def test_going_back_to_the_applied_commit_clears_a_refusal() -> None:
    source = Source(source="s", location="/r", branch="main", path="")
    source.apply_revision(commit="c" * 40, tree="t", branch="main", plan_digest="p", counts={})
    source.reject_revision(commit="b" * 40, branch="main", problems=())
    source.apply_revision(commit="c" * 40, tree="t", branch="main", plan_digest="p", counts={})
    assert source.rejected is None


def test_a_client_with_unknown_scopes_is_refused_with_all_problems() -> None:
    with pytest.raises(Rejected) as refusal:
        Client.create("1", name=" ", scopes=["read:hook"], secret_hash="h", token_hash="t")
    assert [p.key for p in refusal.value.problems] == ["scope", "name"]


def test_revoking_twice_is_one_event() -> None:
    client = Client.create("1", name="n", scopes=["read:hooks"], secret_hash="h", token_hash="t")
    client.revoke()
    client.revoke()
    assert topics(client) == ["client.created", "client.revoked"]
