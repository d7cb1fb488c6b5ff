"""The runner: the production path without a trace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from app.application.invoking.run_draft import Draft, DraftResult, DraftRunner
from app.application.views import HookRow
from app.domain.errors import NotFound, Problem, Rejected
from app.domain.outcomes import Outcome, OutcomeKind
from app.domain.triggers.catalogue import CONTRACTS

PRE = "pre-user-registration"
SECRET = "auth0-extension-secret"


@pytest.fixture
def drafts(world: Any) -> DraftRunner:
    return DraftRunner(
        hooks=world.hooks,
        runner=world.runner,
        packages=world.packages,
        vault=world.vault,
        new_id=lambda: "RUN",
    )


def draft(**members: Any) -> Draft:
    given = {"trigger": PRE, "language": "node", "script": "x", "payload": CONTRACTS[PRE].example}
    return Draft(**(given | members))


def run(drafts: DraftRunner, asked: Draft) -> DraftResult:
    return asyncio.run(drafts.run_draft(asked))


def test_a_draft_is_answered_as_a_caller_would_be_and_leaves_no_record(
    world: Any, drafts: DraftRunner
) -> None:
    world.runner.outcome = Outcome(
        OutcomeKind.SUCCEEDED, b'{"user": {"app_metadata": {"a": 1}, "email": "x"}}'
    )
    result = run(drafts, draft())
    assert json.loads(result.envelope or b"")["status"] == "success"
    assert result.effects == {"user": {"app_metadata": {"a": 1}}}
    assert world.journal.recorded == []


def test_a_draft_sees_headers_but_never_credentials(world: Any, drafts: DraftRunner) -> None:
    run(drafts, draft(headers={"X-Test": "1", "Authorization": "Bearer x", "Cookie": "a"}))
    shown = json.loads(world.runner.calls[0][1].request)
    assert shown["headers"] == {"x-test": "1"}


def test_two_drafts_that_differ_in_a_secret_share_no_process(
    world: Any, drafts: DraftRunner
) -> None:
    run(drafts, draft(secrets={"K": "1"}))
    run(drafts, draft(secrets={"K": "2"}))
    first, second = (version.key for version, _ in world.runner.calls)
    assert first != second


def test_a_script_that_does_not_compile_is_refused_with_its_line(
    world: Any, drafts: DraftRunner
) -> None:
    world.runner.problems = [Problem("unexpected token", file="hook.js", line=3)]
    with pytest.raises(Rejected) as refusal:
        run(drafts, draft())
    assert refusal.value.problems[0].line == 3
    assert world.runner.calls == []


@pytest.mark.parametrize("script", ["", "  \n", "x" * (256 * 1024 + 1)])
def test_a_script_that_could_not_be_stored_is_not_run(drafts: DraftRunner, script: str) -> None:
    with pytest.raises(Rejected):
        run(drafts, draft(script=script))


def test_a_secret_that_could_not_be_stored_is_refused_by_name(drafts: DraftRunner) -> None:
    with pytest.raises(Rejected) as refusal:
        run(drafts, draft(secrets={"": "x"}))
    assert refusal.value.problems[0].key == "secrets."


def test_an_unknown_trigger_is_not_found(drafts: DraftRunner) -> None:
    with pytest.raises(NotFound):
        run(drafts, draft(trigger="nothing"))


def test_a_payload_that_the_trigger_refuses_is_answered_as_it_is_in_production(
    world: Any, drafts: DraftRunner
) -> None:
    result = run(drafts, draft(payload={"user": {}}))
    assert json.loads(result.envelope or b"")["data"]["message"].startswith("Body.context")
    assert world.runner.calls == []


def test_a_draft_with_the_extension_secret_demands_it(world: Any, drafts: DraftRunner) -> None:
    refused = run(drafts, draft(secrets={SECRET: "s3cret"}))
    assert json.loads(refused.envelope or b"")["data"] == {
        "message": "Unauthorized extensibility point",
        "statusCode": 500,
    }
    let_in = run(
        drafts, draft(secrets={SECRET: "s3cret"}, headers={"authorization": "bearer s3cret"})
    )
    assert json.loads(let_in.envelope or b"")["status"] == "success"
    version, _ = world.runner.calls[0]
    assert version.open_secrets() == {}


def test_a_saved_hook_with_the_extension_secret_demands_it_and_never_sees_it(
    world: Any, drafts: DraftRunner, make_row: Callable[..., HookRow]
) -> None:
    sealed = {
        SECRET: world.vault.seal("01HOOK", SECRET, "s3cret"),
        "KEY": world.vault.seal("01HOOK", "KEY", "value"),
    }
    hook = make_row(secrets=sealed)
    payload = CONTRACTS[PRE].example
    refused = asyncio.run(drafts.run_saved(hook, payload, {"authorization": "Bearer wrong"}))
    assert b"Unauthorized" in (refused.envelope or b"")
    assert world.runner.calls == []
    let_in = asyncio.run(drafts.run_saved(hook, payload, {"Authorization": "Bearer s3cret"}))
    assert let_in.outcome.kind is OutcomeKind.SUCCEEDED
    version, _ = world.runner.calls[0]
    assert dict(version.open_secrets()) == {"KEY": "value"}


def test_the_holder_of_an_extension_secret_may_invoke_its_trigger_only(
    world: Any, make_row: Callable[..., HookRow]
) -> None:
    world.put(make_row(secrets={SECRET: world.vault.seal("01HOOK", SECRET, "s3cret")}))
    assert world.invoker.may_invoke(PRE, "s3cret") == "hook:01HOOK"
    assert world.invoker.may_invoke(PRE, "other") is None
    assert world.invoker.may_invoke("credentials-exchange", "s3cret") is None


def test_a_run_that_the_platform_ends_says_why(world: Any, drafts: DraftRunner) -> None:
    world.runner.outcome = Outcome(OutcomeKind.TIMED_OUT, detail="too slow")
    result = run(drafts, draft())
    assert (result.envelope, result.outcome.detail) == (None, "too slow")


def test_packages_of_a_draft_are_installed_before_it_runs(world: Any, drafts: DraftRunner) -> None:
    run(drafts, draft(dependencies={"semver": "7.5.4"}))
    version, _ = world.runner.calls[0]
    assert version.packages is not None
    assert [dict(wanted.dependencies) for wanted in world.packages.asked] == [{"semver": "7.5.4"}]


def test_a_package_that_cannot_be_had_is_told_by_name(world: Any, drafts: DraftRunner) -> None:
    with pytest.raises(Rejected) as refusal:
        run(drafts, draft(dependencies={"semver": "^7"}))
    assert refusal.value.problems[0].key == "dependencies.semver"
    assert world.packages.asked == []
