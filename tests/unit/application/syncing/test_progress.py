"""Stages of a sync that take long are told of, others are not."""

from __future__ import annotations

import logging

import pytest

from app.application.syncing.progress import SyncStage, log_large_stages


def test_only_large_stages_are_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_large_stages(SyncStage.READING, 0)
        log_large_stages(SyncStage.CHECKING, 3)
        log_large_stages(SyncStage.STORING, 10_000)
    [line] = caplog.records
    assert (line.message, line.__dict__["stage"]) == ("sync_stage", "storing changes")
    assert line.__dict__["count"] == 10_000
