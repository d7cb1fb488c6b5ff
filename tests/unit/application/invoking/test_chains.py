"""Chains: what the next hook sees, what the caller gets, and where a chain ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from msgspec import structs

from app.application.invoking.invoke import Answer
from app.application.views import Delivery, HookRow, TriggerRow
from app.domain.errors import NotFound, Stalled, Transient
from app.domain.outcomes import Call, HookVersion, Outcome, OutcomeKind
from app.domain.revisions import Position
from app.domain.triggers.catalogue import CONTRACTS
from app.domain.triggers.definitions import TriggerDefinition

PRE, CCE, POST, OWN = (
    "pre-user-registration",
    "credentials-exchange",
    "post-user-registration",
    "order-placed",
)
Script = Callable[[Mapping[str, Any]], Any]


@pytest.fixture
def chain(world: Any, make_row: Callable[..., HookRow]) -> Callable[..., None]:
    """Enable hooks named a, b, … that answer by ``scripts``, on one trigger."""

    def make(trigger: str, *scripts: Script | Outcome, **definition: Any) -> None:
        rows = [
            structs.replace(
                make_row(trigger, version_key=name),
                id=f"ID-{name}",
                name=name,
                position=Position(10 + index),
            )
            for index, name in enumerate("abcdef"[: len(scripts)])
        ]
        by_name = dict(zip("abcdef", scripts, strict=False))

        async def run(version: HookVersion, call: Call) -> Outcome:
            world.runner.calls.append((version, call))
            script = by_name[version.name]
            if isinstance(script, Outcome):
                return script
            result = script(orjson.loads(call.payload))
            return Outcome(OutcomeKind.SUCCEEDED, orjson.dumps(result))

        world.runner.run = run
        members = {"mode": "chain", **definition}
        text = TriggerDefinition(trigger, custom=trigger not in CONTRACTS, **members).text
        trigger_row = TriggerRow(trigger, tuple(r.id for r in rows), Position(9), "source:x", text)
        world.hooks.table = replace(
            world.hooks.table,
            hooks={row.id: row for row in rows},
            triggers={trigger: trigger_row},
        )

    return make


def invoke(world: Any, trigger: str, payload: Any = None) -> Answer:
    body = orjson.dumps(CONTRACTS[trigger].example if payload is None else payload)
    answer: Answer = asyncio.run(world.invoker.invoke(trigger, body, caller="client"))
    return answer


def envelope(answer: Answer) -> Any:
    assert answer.envelope is not None
    return json.loads(answer.envelope)


def error(text: str) -> Outcome:
    return Outcome(OutcomeKind.ERRORED, orjson.dumps({"name": "E", "message": text}))


TIMED_OUT = Outcome(OutcomeKind.TIMED_OUT, detail="too slow")


def test_metadata_of_all_hooks_is_joined_and_seen_by_the_next(world: Any, chain: Any) -> None:
    seen = []

    def second(payload: Any) -> Any:
        seen.append(payload["user"])
        return {"user": {"user_metadata": {"b": 2, "hobby": "chess"}}}

    chain(PRE, lambda _: {"user": {"user_metadata": {"a": 1}, "app_metadata": {"x": 1}}}, second)
    told = envelope(invoke(world, PRE))
    assert told["effects"] == {
        "user": {"user_metadata": {"a": 1, "b": 2, "hobby": "chess"}, "app_metadata": {"x": 1}}
    }
    assert seen[0]["user_metadata"] == {"hobby": "surfing", "a": 1}
    assert seen[0]["app_metadata"] == {"plan": "full", "x": 1}
    assert seen[0]["email"] == "user1@example.com"


def test_the_answer_names_every_hook_that_ran(world: Any, chain: Any) -> None:
    chain(PRE, lambda _: {}, lambda _: {})
    answer = invoke(world, PRE)
    steps = envelope(answer)["hooks"]
    assert [(s["hook"], s["outcome"], s["position"]) for s in steps] == [
        ("a", "succeeded", 10),
        ("b", "succeeded", 11),
    ]
    assert answer.position == 11
    assert [record.hook_name for record in world.journal.recorded] == ["a", "b"]


def test_the_next_hook_sees_the_scope_as_it_is_by_now(world: Any, chain: Any) -> None:
    seen: list[Any] = []

    def second(payload: Any) -> Any:
        seen.append(payload)
        return {"scope": [*payload["scope"], "more"], "https://x.example/b": 2}

    chain(CCE, lambda _: {"scope": ["one"], "https://x.example/a": 1}, second)
    effects = envelope(invoke(world, CCE))["effects"]
    assert seen[0]["scope"] == ["one"]
    assert seen[0]["context"]["claims"] == {"https://x.example/a": 1}
    assert effects == {
        "scope": ["one", "more"],
        "claims": {"https://x.example/a": 1, "https://x.example/b": 2},
    }


def test_hooks_of_a_custom_trigger_see_the_effects_so_far(world: Any, chain: Any) -> None:
    seen: list[Any] = []

    def second(payload: Any) -> Any:
        seen.append(payload)
        return {"b": 2}

    chain(OWN, lambda payload: {"total": payload["event"]["total"]}, second)
    answer = envelope(invoke(world, OWN, {"total": 5}))
    assert seen == [{"event": {"total": 5}, "context": {"effects": {"total": 5}}}]
    assert answer["effects"] == {"total": 5, "b": 2}
    assert answer["data"] == {"b": 2}


def test_the_first_error_ends_the_chain(world: Any, chain: Any) -> None:
    chain(PRE, lambda _: {}, error("no"), lambda _: pytest.fail("ran after an error"))
    told = envelope(invoke(world, PRE))
    assert told["status"] == "error"
    assert told["data"] == {"name": "E", "message": "no"}
    assert [step["outcome"] for step in told["hooks"]] == ["succeeded", "errored"]


def test_a_failure_of_the_platform_ends_a_closed_chain(world: Any, chain: Any) -> None:
    chain(PRE, TIMED_OUT, lambda _: pytest.fail("ran after a failure"))
    answer = invoke(world, PRE)
    assert answer.failure == TIMED_OUT


def test_an_open_chain_goes_on_without_the_failed_hook(world: Any, chain: Any) -> None:
    chain(PRE, TIMED_OUT, lambda _: {"user": {"user_metadata": {"b": 1}}}, on_error="open")
    answer = invoke(world, PRE)
    told = envelope(answer)
    assert told["effects"] == {"user": {"user_metadata": {"b": 1}}}
    assert [step["outcome"] for step in told["hooks"]] == ["timed_out", "succeeded"]
    assert answer.failed_open == "timed_out"


def test_an_open_chain_whose_last_hook_fails_keeps_the_effects_before(
    world: Any, chain: Any
) -> None:
    chain(PRE, lambda _: {"user": {"user_metadata": {"a": 1}}}, TIMED_OUT, on_error="open")
    answer = invoke(world, PRE)
    assert envelope(answer)["effects"] == {"user": {"user_metadata": {"a": 1}}}
    assert answer.failed_open == "timed_out"


def test_an_open_chain_in_which_every_hook_fails_honours_nothing(world: Any, chain: Any) -> None:
    chain(CCE, TIMED_OUT, TIMED_OUT, on_error="open")
    told = envelope(invoke(world, CCE))
    assert told["status"] == "success"
    assert told["effects"] == {"scope": ["read:connections"], "claims": {}}


def test_an_error_a_hook_raises_is_its_answer_even_in_an_open_chain(world: Any, chain: Any) -> None:
    chain(PRE, error("refused"), lambda _: pytest.fail("ran after an error"), on_error="open")
    assert envelope(invoke(world, PRE))["data"]["message"] == "refused"


def test_a_single_hook_fails_open_too_and_the_answer_says_so(world: Any, chain: Any) -> None:
    chain(PRE, TIMED_OUT, mode="single", on_error="open")
    answer = invoke(world, PRE)
    assert envelope(answer) == {
        "statusCode": 200,
        "headers": {},
        "status": "success",
        "data": {},
        "effects": {},
    }
    assert answer.failed_open == "timed_out"
    assert world.journal.recorded[0].kind is OutcomeKind.TIMED_OUT


def test_a_missing_secret_fails_open_as_any_failure_does(
    world: Any, chain: Any, make_row: Callable[..., HookRow]
) -> None:
    chain(PRE, lambda _: {}, mode="single", on_error="open")
    row = world.hooks.table.hooks["ID-a"]
    row = structs.replace(row, settings={**row.settings, "required_secrets": ["KEY"]})
    world.hooks.table = replace(world.hooks.table, hooks={"ID-a": row})
    assert invoke(world, PRE).failed_open == "crashed"


def test_a_missing_secret_is_the_caller_s_problem_where_the_trigger_is_closed(
    world: Any, chain: Any
) -> None:
    chain(PRE, lambda _: {})
    row = world.hooks.table.hooks["ID-a"]
    row = structs.replace(row, settings={**row.settings, "required_secrets": ["KEY"]})
    world.hooks.table = replace(world.hooks.table, hooks={"ID-a": row})
    with pytest.raises(Stalled, match="not set: KEY"):
        invoke(world, PRE)


def test_a_failed_chain_of_a_non_blocking_trigger_is_tried_again(world: Any, chain: Any) -> None:
    chain(POST, lambda _: {}, error("later"))
    body = orjson.dumps(CONTRACTS[POST].example)
    delivery = Delivery("INV", POST, body, "client", world.invoker._clock())
    with pytest.raises(Transient, match="E: later"):
        asyncio.run(world.invoker.deliver(delivery))
    assert [record.invocation_id for record in world.journal.recorded] == ["INV", "INV"]


def test_an_event_that_its_schema_refuses_reaches_no_hook(world: Any, chain: Any) -> None:
    chain(OWN, lambda _: {}, payload={"type": "object", "required": ["total"]})
    told = envelope(invoke(world, OWN, {"sum": 5}))
    assert told == {"status": "error", "data": {"message": 'event: "total" is a required property'}}
    assert world.runner.calls == []


def test_a_result_that_its_schema_refuses_is_an_error_of_the_hook(world: Any, chain: Any) -> None:
    chain(OWN, lambda _: {"ok": "yes"}, result={"properties": {"ok": {"type": "boolean"}}})
    told = envelope(invoke(world, OWN, {}))
    assert told["status"] == "error"
    assert 'result.ok: "yes" is not of type "boolean"' in told["data"]["message"]


def test_a_trigger_that_nobody_defines_is_unknown_and_those_defined_are_named(
    world: Any, chain: Any
) -> None:
    chain(OWN, lambda _: {})
    with pytest.raises(NotFound, match="order-placed"):
        invoke(world, "order-paid", {})


def test_a_social_connection_is_skipped_and_nothing_runs(world: Any, chain: Any) -> None:
    chain(PRE, lambda _: pytest.fail("ran"), mode="single")
    payload = orjson.loads(orjson.dumps(CONTRACTS[PRE].example))
    payload["context"]["connection"]["strategy"] = "google-oauth2"
    answer = invoke(world, PRE, payload)
    assert answer.skipped is not None
    assert "google-oauth2" in answer.skipped
    assert answer.envelope is None
