"""The runner: try a script, saved or not, in the production path, and store nothing.

Same checks, same isolation, same effects as an invocation; no execution record, since none of the
hooks in force ran for a caller.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.application.invoking.contracts import contract_in
from app.application.invoking.envelopes import failure, read_outcome, success
from app.application.invoking.extension_secret import (
    EXTENSION_SECRET,
    UNAUTHORIZED,
    is_extension_secret,
)
from app.application.invoking.install_packages import install
from app.application.invoking.versions import Versions
from app.application.ports import HookTable, Packages, Runner, Vault
from app.application.views import HookRow
from app.domain.documents.packages import PackageSet
from app.domain.documents.values import is_exact_version, is_package_name
from app.domain.errors import Problem, Rejected
from app.domain.hooks.secrets import check_secret
from app.domain.manifests.manifest import MAX_SCRIPT_BYTES
from app.domain.outcomes import (
    SCRIPT_FILES,
    Call,
    HookVersion,
    Language,
    LogLine,
    Outcome,
    OutcomeKind,
    ScriptToCheck,
)
from app.domain.revisions import digest_of
from app.domain.triggers.contracts import TriggerContract
from app.domain.triggers.repository_settings import DEFAULT_TIMEOUT_MS

KEPT_LINES = 1_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A script that is nowhere stored."""

    trigger: str
    language: Language
    script: str
    payload: Any
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    dependencies: Mapping[str, str] = field(default_factory=dict)
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    network: tuple[str, ...] = ()
    """What it may call: what a manifest says, never what the caller asks for."""


@dataclass(frozen=True, slots=True)
class DraftResult:
    """What came of it."""

    envelope: bytes | None
    """JSON text as a caller would get it; None if the platform ended the run."""
    effects: Mapping[str, Any] | None
    outcome: Outcome
    logs: tuple[LogLine, ...]
    seconds: float
    skipped: str | None = None
    """Why the trigger's hooks would not run for this payload."""


class DraftRunner:
    """The use case; one for the server."""

    def __init__(
        self,
        *,
        hooks: HookTable,
        runner: Runner,
        packages: Packages,
        vault: Vault,
        new_id: Callable[[], str],
    ) -> None:
        self._hooks = hooks
        self._runner = runner
        self._packages = packages
        self._vault = vault
        self._versions = Versions(vault, packages)
        self._new_id = new_id

    async def run_draft(self, draft: Draft) -> DraftResult:
        """Run a script that is not stored.

        Raises ``NotFound`` for an unknown trigger, ``Rejected`` with the lines of a script that
        cannot be compiled, or for secrets and packages that a hook could not have.
        """
        contract = contract_in(self._hooks.table, draft.trigger)
        _check_draft(draft)
        problems = await self._runner.check(
            [
                ScriptToCheck(
                    SCRIPT_FILES[draft.language], draft.language, draft.script, contract.parameters
                )
            ]
        )
        if problems:
            raise Rejected("The script cannot run.", problems=problems)
        expected = draft.secrets.get(EXTENSION_SECRET)
        if expected is not None and not hmac.compare_digest(
            expected.encode(), _bearer(draft.headers).encode()
        ):
            return _unauthorized()
        wanted = PackageSet.of(draft.language, draft.dependencies)
        version = _version(draft, contract, await install(self._packages, wanted))
        return await self._run(
            contract, version, draft.payload, draft.headers, draft.timeout_ms / 1000
        )

    async def run_saved(
        self, hook: HookRow, payload: Any, headers: Mapping[str, str]
    ) -> DraftResult:
        """Run a stored hook, enabled or not, with its secrets."""
        contract = contract_in(self._hooks.table, hook.trigger)
        if EXTENSION_SECRET in hook.secrets and not is_extension_secret(
            self._vault, hook, _bearer(headers)
        ):
            return _unauthorized()
        version = self._versions.of(hook)
        self._versions.keep([])
        return await self._run(
            contract, version, payload, headers, hook.settings["timeout_ms"] / 1000
        )

    async def _run(
        self,
        contract: TriggerContract,
        version: HookVersion,
        payload: Any,
        headers: Mapping[str, str],
        timeout: float,
    ) -> DraftResult:
        started = time.perf_counter()
        complaint = contract.check(payload)
        if complaint is not None:
            error = {"message": complaint}
            outcome = Outcome(OutcomeKind.ERRORED, orjson.dumps(error))
            return DraftResult(failure(error), None, outcome, (), time.perf_counter() - started)
        call = Call(
            self._new_id(),
            contract.hook_payload(orjson.dumps(payload)),
            timeout,
            shown_request(headers, contract.id),
            KEPT_LINES,
        )
        reading = read_outcome(contract, payload, await self._runner.run(version, call))
        outcome, envelope = reading.outcome, None
        if outcome.kind is OutcomeKind.VIOLATED:
            self._runner.distrust(version, outcome)
        if reading.effects is not None:
            envelope = success(contract, outcome.data, reading.effects)
        elif outcome.kind is OutcomeKind.ERRORED:
            envelope = failure(reading.data)
        return DraftResult(
            envelope,
            reading.effects,
            outcome,
            outcome.logs,
            time.perf_counter() - started,
            contract.skip(payload),
        )


def shown_request(headers: Mapping[str, str], trigger: str) -> bytes:
    """Write what ``context.webtask`` shows of a request; credentials are left out."""
    shown = {name.lower(): value for name, value in headers.items()}
    for name in HIDDEN_HEADERS:
        shown.pop(name, None)
    return orjson.dumps({"headers": shown, "query": {}, "params": {"trigger": trigger}})


HIDDEN_HEADERS = ("authorization", "cookie", "proxy-authorization")
"""Headers that hold what lets their owner in: no hook sees them."""


def _check_draft(draft: Draft) -> None:
    problems = []
    size = len(draft.script.encode("utf-8", "surrogatepass"))
    if not draft.script.strip():
        problems.append(Problem("is empty", key="script"))
    if size > MAX_SCRIPT_BYTES:
        message = f"is {size} bytes; the limit is {MAX_SCRIPT_BYTES // 1024} KiB"
        problems.append(Problem(message, key="script"))
    for name, version in draft.dependencies.items():
        if not is_package_name(name, draft.language) or not is_exact_version(
            version, draft.language
        ):
            message = "must be a package's name with one exact version"
            problems.append(Problem(message, key=f"dependencies.{name}"))
    for name, value in draft.secrets.items():
        try:
            check_secret(name, value)
        except Rejected as refusal:
            problems += [Problem(p.message, key=f"secrets.{name}") for p in refusal.problems]
    if problems:
        raise Rejected("The draft cannot run.", problems=problems)


def _version(draft: Draft, contract: TriggerContract, packages: str | None) -> HookVersion:
    secrets = {name: value for name, value in draft.secrets.items() if name != EXTENSION_SECRET}
    described = orjson.dumps(
        [draft.language, draft.trigger, secrets, packages, draft.network],
        option=orjson.OPT_SORT_KEYS,
    )
    return HookVersion(
        key=digest_of(b"draft", draft.script.encode("utf-8", "surrogatepass"), described),
        hook_id="draft",
        name="draft",
        trigger=draft.trigger,
        language=draft.language,
        script=draft.script,
        parameters=contract.parameters,
        open_secrets=lambda: secrets,
        network=draft.network,
        packages=packages,
    )


def _bearer(headers: Mapping[str, str]) -> str:
    """Return the token of an ``Authorization`` header; the scheme's case does not matter."""
    for name, value in headers.items():
        if name.lower() == "authorization":
            scheme, _, token = value.strip().partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""


def _unauthorized() -> DraftResult:
    outcome = Outcome(OutcomeKind.ERRORED, orjson.dumps(UNAUTHORIZED))
    return DraftResult(failure(UNAUTHORIZED), None, outcome, (), 0.0)
