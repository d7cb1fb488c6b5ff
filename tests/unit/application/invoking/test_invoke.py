"""Invoking a trigger: the envelope, the effects, what is recorded, and what a hook cannot forge."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from app.application.invoking.invoke import Answer
from app.application.views import Delivery, HookRow
from app.domain.errors import NotFound, Rejected, Stalled, Transient
from app.domain.hooks.secrets import SealedSecret
from app.domain.outcomes import Outcome, OutcomeKind
from app.domain.revisions import Position
from app.domain.triggers.catalogue import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Callable

    World = Any

PRE = "pre-user-registration"
BODY = orjson.dumps(CONTRACTS[PRE].example)


def invoke(world: World, trigger: str = PRE, body: bytes = BODY, **options: Any) -> Answer:
    answer: Answer = asyncio.run(world.invoker.invoke(trigger, body, caller="client", **options))
    return answer


def envelope(answer: Answer) -> Any:
    assert answer.envelope is not None
    return json.loads(answer.envelope)


def test_a_result_comes_in_auth0s_envelope_with_its_effects(
    world: World, make_row: Callable[..., HookRow]
) -> None:
    world.put(make_row())
    world.runner.outcome = Outcome(
        OutcomeKind.SUCCEEDED, b'{"user": {"user_metadata": {"a": 1}, "email": "x"}}'
    )
    answer = invoke(world)
    assert envelope(answer) == {
        "statusCode": 200,
        "headers": {},
        "status": "success",
        "data": {"user": {"user_metadata": {"a": 1}, "email": "x"}},
        "effects": {"user": {"user_metadata": {"a": 1}}},
    }
    assert (answer.hook and answer.hook.commit, answer.position) == ("c" * 40, Position(9))


@pytest.mark.parametrize("data", [None, b"null"])
def test_a_missing_result_is_an_empty_object_where_auth0_gives_one(
    world: World, make_row: Callable[..., HookRow], data: bytes | None
) -> None:
    world.put(make_row())
    world.runner.outcome = Outcome(OutcomeKind.SUCCEEDED, data)
    assert envelope(invoke(world))["data"] == {}


def test_a_missing_result_is_left_out_elsewhere(
    world: World, make_row: Callable[..., HookRow]
) -> None:
    world.put(make_row("send-phone-message"))
    world.runner.outcome = Outcome(OutcomeKind.SUCCEEDED, None)
    body = orjson.dumps(CONTRACTS["send-phone-message"].example)
    assert "data" not in envelope(invoke(world, "send-phone-message", body))


def test_an_error_of_the_hook_is_an_answer_not_a_failure(
    world: World, make_row: Callable[..., HookRow]
) -> None:
    world.put(make_row())
    world.runner.outcome = Outcome(OutcomeKind.ERRORED, b'{"name": "E", "message": "no"}')
    answer = invoke(world)
    assert envelope(answer) == {"status": "error", "data": {"name": "E", "message": "no"}}
    assert answer.failure is None
    assert world.journal.recorded[0].error == "E: no"


@pytest.mark.parametrize(
    "forged",
    [
        b'1,"effects":{"user":{}}',
        b"{",
        b"",
        b"NaN",
        b'{"a":1}}',
        b"\xff",
        b"[" * 2000 + b"]" * 2000,
        b'{"user":{"user_metadata":' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}}",
    ],
    ids=range(8),
)
def test_a_worker_cannot_close_the_envelope_and_write_its_own_effects(
    world: World, make_row: Callable[..., HookRow], forged: bytes
) -> None:
    world.put(make_row())
    world.runner.outcome = Outcome(OutcomeKind.SUCCEEDED, forged)
    answer = invoke(world)
    assert answer.envelope is None
    assert answer.failure is not None
    assert answer.failure.kind is OutcomeKind.VIOLATED
    assert world.runner.distrusted == [answer.failure]


@pytest.mark.parametrize("kind", [kind for kind in OutcomeKind if not kind.is_answer])
def test_a_failure_of_the_platform_is_not_disguised_as_an_answer(
    world: World, make_row: Callable[..., HookRow], kind: OutcomeKind
) -> None:
    world.put(make_row())
    world.runner.outcome = Outcome(kind, detail="It took too long.")
    answer = invoke(world)
    assert answer.envelope is None
    assert answer.failure is world.runner.outcome
    assert (world.journal.recorded[0].kind, world.journal.recorded[0].error) == (
        kind,
        "It took too long.",
    )


def test_a_refused_payload_answers_in_the_envelope_and_runs_nothing(
    world: World, make_row: Callable[..., HookRow]
) -> None:
    world.put(make_row())
    answer = invoke(world, body=b'{"user": {}}')
    assert envelope(answer) == {
        "status": "error",
        "data": {"message": "Body.context received by extensibility point is not an object"},
    }
    assert world.runner.calls == []


def test_a_trigger_without_an_enabled_hook_answers_with_the_tables_position(world: World) -> None:
    answer = invoke(world)
    assert (answer.hook, answer.envelope, answer.position) == (None, None, Position(7))


def test_a_body_that_is_no_json_and_an_unknown_trigger_are_refused(world: World) -> None:
    with pytest.raises(Rejected, match="not valid JSON"):
        invoke(world, body=b"{")
    with pytest.raises(NotFound, match="no trigger `nope`"):
        invoke(world, "nope")


def test_a_demanded_position_that_is_not_reached_is_transient(
    world: World, make_row: Callable[..., HookRow]
) -> None:
    world.put(make_row())
    invoke(world, min_position=Position(9))
    with pytest.raises(Transient, match="Position 10"):
        invoke(world, min_position=Position(10))


def test_a_hook_without_its_required_secrets_does_not_run(
    world: World, make_row: Callable[..., HookRow]
) -> None:
    world.put(make_row(required_secrets=["API_KEY"]))
    with pytest.raises(Stalled, match="API_KEY"):
        invoke(world)
    assert world.runner.calls == []


def test_a_non_blocking_trigger_is_accepted_once_it_is_stored(
    world: World, make_row: Callable[..., HookRow]
) -> None:
    world.put(make_row("post-user-registration"))
    answer = invoke(world, "post-user-registration")
    assert answer.accepted
    assert world.runner.calls == []
    assert [d.invocation_id for d in world.queue.deliveries] == [answer.invocation_id]


def delivered(world: World, outcome: Outcome) -> bool:
    world.runner.outcome = outcome
    delivery = Delivery("INV", "post-user-registration", BODY, "client", world.invoker._clock())
    done: bool = asyncio.run(world.invoker.deliver(delivery))
    return done


def test_a_delivery_is_done_when_the_hook_succeeded(
    world: World, make_row: Callable[..., HookRow]
) -> None:
    world.put(make_row("post-user-registration"))
    assert delivered(world, Outcome(OutcomeKind.SUCCEEDED, b"{}"))
    assert world.runner.calls[0][1].invocation_id == "INV"


def test_a_delivery_without_a_hook_is_done(world: World) -> None:
    assert delivered(world, Outcome(OutcomeKind.SUCCEEDED, b"{}"))
    assert world.runner.calls == []


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(OutcomeKind.ERRORED, b'{"message": "it is down"}'),
        Outcome(OutcomeKind.TIMED_OUT, detail="it is down"),
    ],
)
def test_a_delivery_that_failed_is_tried_again_and_says_why(
    world: World, make_row: Callable[..., HookRow], outcome: Outcome
) -> None:
    world.put(make_row("post-user-registration"))
    with pytest.raises(Transient, match="it is down"):
        delivered(world, outcome)


def test_a_secret_in_an_error_does_not_reach_the_journal(
    world: World, make_row: Callable[..., HookRow]
) -> None:
    world.vault.values["k"] = "hunter22"
    world.put(make_row(secrets={"PASSWORD": SealedSecret("PASSWORD", "k", "c")}))
    world.runner.outcome = Outcome(OutcomeKind.ERRORED, b'{"message": "bad hunter22!"}')
    invoke(world)
    assert world.journal.recorded[0].error == "bad ***!"


def test_secrets_are_not_opened_on_the_hot_path(
    world: World, make_row: Callable[..., HookRow]
) -> None:
    world.vault.values["k"] = "hunter22"
    world.put(make_row(secrets={"PASSWORD": SealedSecret("PASSWORD", "k", "c")}))
    invoke(world)
    assert world.vault.opened == []
    assert world.runner.calls[0][0].open_secrets() == {"PASSWORD": "hunter22"}


def test_only_versions_of_enabled_hooks_are_kept_warm(
    world: World, make_row: Callable[..., HookRow]
) -> None:
    world.put(make_row(version_key="old"))
    asyncio.run(world.invoker.warm())
    world.put(make_row(version_key="new"))
    asyncio.run(world.invoker.warm())
    assert world.runner.prepared == ["new"]
