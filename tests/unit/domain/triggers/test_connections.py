"""Social and enterprise connections concern no hook of a registration; the answer says so."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.triggers.catalogue import CONTRACTS


def payload(trigger: str, strategy: object) -> Mapping[str, Any]:
    example = CONTRACTS[trigger].example
    connection = {**example["context"]["connection"], "strategy": strategy}
    return {**example, "context": {**example["context"], "connection": connection}}


@pytest.mark.parametrize("trigger", ["pre-user-registration", "post-user-registration"])
@pytest.mark.parametrize("strategy", ["auth0", "email", "sms"])
def test_registration_hooks_run_for_database_and_passwordless(trigger: str, strategy: str) -> None:
    assert CONTRACTS[trigger].skip(payload(trigger, strategy)) is None


@pytest.mark.parametrize("trigger", ["pre-user-registration", "post-user-registration"])
@pytest.mark.parametrize("strategy", ["google-oauth2", "samlp", "ad"])
def test_registration_hooks_skip_social_and_enterprise(trigger: str, strategy: str) -> None:
    reason = CONTRACTS[trigger].skip(payload(trigger, strategy))
    assert reason is not None
    assert strategy in reason


def test_change_password_hooks_run_for_databases_only() -> None:
    contract = CONTRACTS["post-change-password"]
    assert contract.skip(payload("post-change-password", "auth0")) is None
    assert contract.skip(payload("post-change-password", "sms")) is not None


@pytest.mark.parametrize("trigger", ["pre-user-registration", "post-change-password"])
def test_a_connection_without_a_strategy_is_taken_for_one_that_applies(trigger: str) -> None:
    assert CONTRACTS[trigger].skip(CONTRACTS[trigger].example) is None


@pytest.mark.parametrize("strategy", ["evil\r\nset-cookie: a=b", 7, {"a": 1}, "x" * 1000, "é"])
def test_a_strange_strategy_cannot_write_headers(strategy: object) -> None:
    reason = CONTRACTS["pre-user-registration"].skip(payload("pre-user-registration", strategy))
    assert reason is not None
    assert reason.isascii()
    assert reason.isprintable()
    assert len(reason) < 200


@pytest.mark.parametrize("trigger", ["credentials-exchange", "send-phone-message"])
def test_other_points_know_no_connection(trigger: str) -> None:
    assert CONTRACTS[trigger].skip(CONTRACTS[trigger].example) is None
