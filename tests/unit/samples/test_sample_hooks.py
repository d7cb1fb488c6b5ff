"""The sample hooks do what their fixtures say.

Here they run in this process, against stand-ins for the ``hookledger`` module and for the context,
so that a broken sample shows within milliseconds; the isolated path has tests of its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from app.domain.documents.fixtures import Fixture, Observed, differences, parse_fixture
from app.domain.triggers.catalogue import CONTRACTS
from app.domain.triggers.contracts import TriggerContract

ERROR_CLASSES = (
    "PreUserRegistrationError",
    "InvalidScopeError",
    "InvalidRequestError",
    "ServerError",
    "SendPhoneMessageError",
)


class HookError(Exception):
    """What the error classes have in common: a text for the log and one for people."""

    def __init__(self, message: str, friendly_message: str | None = None) -> None:
        super().__init__(message)
        self.friendly_message = friendly_message or message


class Context(dict[str, Any]):
    """The payload's context, and the log of the call."""

    log = logging.getLogger("sample")


@contextlib.contextmanager
def hookledger_module() -> Iterator[None]:
    """Offer hooks the classes they import."""
    module = ModuleType("hookledger")
    for name in ERROR_CLASSES:
        setattr(module, name, type(name, (HookError,), {}))
    sys.modules["hookledger"] = module
    try:
        yield
    finally:
        del sys.modules["hookledger"]


def fixtures_of(folder: Path) -> list[Fixture]:
    return [
        parse_fixture(str(path), path.read_bytes())
        for path in sorted((folder / "fixtures").glob("*.json"))
    ]


def contract_for(folder: Path) -> TriggerContract:
    return CONTRACTS[folder.parent.name]


def run(folder: Path, contract: TriggerContract, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Call the hook and write the envelope that a caller would get."""
    members = {**payload, "context": Context(payload.get("context", {}))}
    namespace: dict[str, Any] = {"__name__": "hook"}
    with hookledger_module():
        source = (folder / "hook.py").read_text(encoding="utf-8")
        exec(compile(source, str(folder / "hook.py"), "exec"), namespace)
        arguments = [members.get(parameter) for parameter in contract.parameters]
        try:
            result = namespace["hook"](*arguments)
        except HookError as error:
            data = {
                "name": type(error).__name__,
                "message": str(error),
                "friendlyMessage": error.friendly_message,
            }
            return {"status": "error", "data": data}
        except ValueError as error:
            return {"status": "error", "data": {"message": str(error)}}
    result = json.loads(json.dumps(result))
    return {"status": "success", "data": result, "effects": contract.effects(payload, result)}


def test_every_fixture_of_a_sample_comes_out_as_it_says(
    hook_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    contract = contract_for(hook_folder)
    for fixture in fixtures_of(hook_folder):
        caplog.clear()
        with caplog.at_level(logging.DEBUG):
            envelope = run(hook_folder, contract, fixture.payload)
        lines = [record.getMessage() for record in caplog.records]
        assert not differences(fixture, Observed(envelope, lines)), fixture.name


def test_every_payload_in_a_fixture_passes_its_triggers_check(hook_folder: Path) -> None:
    contract = contract_for(hook_folder)
    for fixture in fixtures_of(hook_folder):
        assert contract.check(fixture.payload) is None, fixture.name


def test_the_triggers_example_payload_is_not_refused(hook_folder: Path) -> None:
    contract = contract_for(hook_folder)
    assert run(hook_folder, contract, contract.example)["status"] == "success"


def test_a_sample_is_enabled_and_needs_no_secret(hook_folder: Path) -> None:
    manifest = tomllib.loads((hook_folder / "hook.toml").read_text(encoding="utf-8"))
    assert manifest["enabled"] is True
    assert "secrets" not in manifest


def test_a_sample_has_at_least_two_fixtures(hook_folder: Path) -> None:
    assert len(fixtures_of(hook_folder)) >= 2


def test_every_trigger_has_exactly_one_python_sample(samples: Path) -> None:
    triggers = sorted(path.parents[1].name for path in samples.glob("hooks/*/*/hook.py"))
    assert triggers == sorted(CONTRACTS)


def test_samples_in_other_languages_are_not_enabled(samples: Path) -> None:
    scripts = list(samples.glob("hooks/*/*/hook.js"))
    assert scripts
    for script in scripts:
        manifest = tomllib.loads((script.parent / "hook.toml").read_text(encoding="utf-8"))
        assert manifest["enabled"] is False
        assert len(fixtures_of(script.parent)) >= 2
        named = f"hooks/{script.parents[1].name}/{script.parent.name}"
        assert named in (samples / "README.md").read_text(encoding="utf-8")
