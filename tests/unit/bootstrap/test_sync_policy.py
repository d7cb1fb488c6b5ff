"""The rules of a source, from settings: what ships, what the environment says, what cannot be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.bootstrap.sync_policy import sync_policy
from app.domain.errors import Rejected
from app.domain.sources.sync_policy import Approval, ForcePush, SyncPolicy
from config.settings import SettingsError, load_settings


def test_what_ships_are_the_defaults_of_the_domain() -> None:
    assert sync_policy(load_settings().sync_policy) == SyncPolicy()


def test_one_rule_is_set_in_the_environment_and_the_others_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = '{"kind": "deny", "schedule": "0 16 * * 5", "hours": 64}'
    monkeypatch.setenv(
        "HOOKLEDGER_SYNC_POLICY",
        f'{{"approval": "manual", "on_force_push": "reject", "windows": [{window}]}}',
    )
    policy = sync_policy(load_settings().sync_policy)
    assert (policy.approval, policy.on_force_push) == (Approval.MANUAL, ForcePush.REJECT)
    assert (policy.max_deletions, policy.compare_every) == (5, timedelta(minutes=5))
    assert [(each.duration, each.time_zone) for each in policy.windows] == [
        (timedelta(hours=64), "UTC")
    ]


@pytest.mark.parametrize(
    "given",
    [
        '{"approval": "sometimes"}',
        '{"max_deletions_percent": 101}',
        '{"compare_interval": 1}',
        '{"colour": "red"}',
        '{"windows": [{"kind": "maybe", "schedule": "* * * * *", "hours": 1}]}',
    ],
)
def test_a_rule_that_cannot_be_stops_the_start(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKLEDGER_SYNC_POLICY", given)
    with pytest.raises(SettingsError, match="HOOKLEDGER_SYNC_POLICY"):
        load_settings()


def test_every_window_that_cannot_be_is_named_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = (
        '{"kind": "deny", "schedule": "fridays", "hours": 1},'
        '{"kind": "deny", "schedule": "* * * * *", "hours": 1},'
        '{"kind": "deny", "schedule": "* * * * *", "hours": 1, "time_zone": "Mars"}'
    )
    monkeypatch.setenv("HOOKLEDGER_SYNC_POLICY", f'{{"windows": [{windows}]}}')
    with pytest.raises(Rejected) as refusal:
        sync_policy(load_settings().sync_policy)
    assert [problem.key for problem in refusal.value.problems] == [
        "sync_policy.windows[0].schedule",
        "sync_policy.windows[2].time_zone",
    ]
