"""Run a hook's fixtures in the production path: same checks, same isolation, same effects."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson

from app.application.invoking.envelopes import envelope_of
from app.application.invoking.install_packages import install_for, packages_of
from app.application.invoking.run_draft import KEPT_LINES, shown_request
from app.application.ports import Packages, Runner
from app.domain.documents.fixtures import Fixture, Observed, differences
from app.domain.documents.processes import lifecycle_of, limits_of
from app.domain.errors import Problem, Rejected
from app.domain.outcomes import Call, HookVersion, Outcome, OutcomeKind, ScriptToCheck
from app.domain.plans.plan import DesiredHook
from app.domain.revisions import digest_of
from app.domain.triggers.catalogue import parameters_of
from app.domain.triggers.contracts import TriggerContract

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class FixtureResult:
    """How a fixture ended."""

    hook: str
    fixture: Fixture
    failures: tuple[str, ...]
    """Empty if everything came as expected."""
    logs: tuple[str, ...]
    seconds: float


async def run_fixture(
    runner: Runner,
    packages: Packages,
    contract: TriggerContract,
    hook: DesiredHook,
    fixture: Fixture,
    new_id: Callable[[], str],
) -> FixtureResult:
    """Run one fixture of a hook as it stands in the repository; its packages are installed."""
    version = _version(hook, fixture, packages)
    body = orjson.dumps(fixture.payload)
    started = time.perf_counter()
    complaint = contract.check(fixture.payload)
    if complaint is None:
        call = Call(
            new_id(),
            contract.hook_payload(body),
            hook.settings["timeout_ms"] / 1000,
            shown_request(fixture.headers, contract.id),
            KEPT_LINES,
        )
        outcome = await runner.run(version, call)
    else:
        outcome = Outcome(OutcomeKind.ERRORED, orjson.dumps({"message": complaint}))
    envelope, outcome = envelope_of(contract, fixture.payload, outcome)
    logs = tuple(line.text for line in outcome.logs)
    if envelope is None:
        failures: tuple[str, ...] = (f"{outcome.kind}: {outcome.detail}",)
    else:
        failures = differences(fixture, Observed(orjson.loads(envelope), logs))
    return FixtureResult(hook.name, fixture, failures, logs, time.perf_counter() - started)


async def failing_fixtures(
    runner: Runner,
    packages: Packages,
    hooks: Iterable[DesiredHook],
    contract_of: Callable[[str], TriggerContract],
    new_id: Callable[[], str],
) -> list[Problem]:
    """Run the fixtures that hooks must pass to go live; return what does not come as expected.

    A hook whose packages are not installed is left out: it cannot go live as it is.
    """
    turns = asyncio.Semaphore(_AT_ONCE)

    async def problems_of(hook: DesiredHook, fixture: Fixture) -> list[Problem]:
        async with turns:
            result = await run_fixture(
                runner, packages, contract_of(hook.trigger), hook, fixture, new_id
            )
        return [
            Problem(f"fixture `{fixture.name}`: {failure}", file=fixture.file)
            for failure in result.failures
        ]

    found = await asyncio.gather(
        *(
            problems_of(hook, fixture)
            for hook in hooks
            if not hook.dependencies or packages.folder(packages_of(hook)) is not None
            for fixture in hook.fixtures
        )
    )
    return [problem for problems in found for problem in problems]


async def check_script(runner: Runner, hook: DesiredHook) -> None:
    """Compile the hook's script; raise ``Rejected`` with file and line of what is wrong."""
    problems = await runner.check(
        [
            ScriptToCheck(
                hook.script_place,
                hook.language,
                hook.script,
                parameters_of(hook.trigger),
            )
        ]
    )
    if problems:
        raise Rejected("The script cannot run.", problems=problems)


async def install_packages(packages: Packages, hook: DesiredHook) -> None:
    """Install what the hook depends on; raise ``Rejected`` with every package that cannot be."""
    problems = await install_for(packages, [hook])
    if problems:
        raise Rejected("The hook's packages cannot be installed.", problems=problems)


def _version(hook: DesiredHook, fixture: Fixture, packages: Packages) -> HookVersion:
    secrets = dict(fixture.secrets)
    described = orjson.dumps(secrets, option=orjson.OPT_SORT_KEYS)
    return HookVersion(
        key=digest_of(b"fixture", hook.digest.encode(), hook.trigger.encode(), described),
        hook_id=f"fixture:{hook.name}",
        name=hook.name,
        trigger=hook.trigger,
        language=hook.language,
        script=hook.script,
        parameters=parameters_of(hook.trigger),
        open_secrets=lambda: secrets,
        network=tuple(hook.settings["network"]),
        packages=packages.folder(packages_of(hook)) if hook.dependencies else None,
        limits=limits_of(hook.settings),
        lifecycle=lifecycle_of(hook.settings),
    )
